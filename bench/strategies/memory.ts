/** What a worker weighs that has been used and then has nothing to do. */
import { setTimeout as pause } from "node:timers/promises";
import type { Runtime } from "../runtimes.ts";
import { median } from "../statistics.ts";
import { ask } from "./ask.ts";
import type { Pace } from "./pace.ts";
import { mib, type Part, type Row, type Task } from "./part.ts";
import { ASYNC, type Concurrency, withSubjects } from "./subject.ts";
import { weigh, type Weight } from "../tree.ts";

/** Sessions before the weighing, so that every worker has served some. */
const SESSIONS = 40;

interface Weighed {
  readonly supervisor: Weight;
  readonly workers: readonly Weight[];
}

async function weights(
  runtime: Runtime,
  pace: Pace,
  concurrency: Concurrency,
): Promise<Weighed> {
  return await withSubjects(
    runtime,
    [{ concurrency, plugin: "bench/portico/push.ts" }],
    async ([subject]) => {
      const sessions = concurrency.strategy === "spawn" ? 4 : SESSIONS;
      for (let i = 0; i < sessions; i++) await ask(subject!.port, "hello\n");
      await pause(pace.settle);
      return { supervisor: weigh(subject!.pid), workers: subject!.workers.map(weigh) };
    },
  );
}

/** What one more thread adds to the process. */
async function growth(runtime: Runtime, pace: Pace): Promise<Weight> {
  const one = await weights(runtime, pace, { strategy: "threads", workers: 1 });
  const four = await weights(runtime, pace, { strategy: "threads", workers: 4 });
  const each = (name: keyof Weight): number => (four.supervisor[name] - one.supervisor[name]) / 3;
  return { resident: each("resident"), proportional: each("proportional"), own: each("own") };
}

function row(weight: Weight, count: number, values: Row["values"]): Row {
  const { resident, proportional, own } = weight;
  return { cells: [`${count}`, mib(resident), mib(proportional), mib(own)], values };
}

function typical(weights: readonly Weight[]): Weight {
  const of = (name: keyof Weight): number => median(weights.map((weight) => weight[name]));
  return { resident: of("resident"), proportional: of("proportional"), own: of("own") };
}

function tasks(runtime: Runtime, pace: Pace): readonly Task[] {
  /** The processes below the supervisor. */
  const workers = (label: string, concurrency: Concurrency): Task => ({
    label,
    async make() {
      const weighed = await weights(runtime, pace, concurrency);
      if (weighed.workers.length === 0) throw new Error("it has started no process");
      return row(typical(weighed.workers), weighed.workers.length, { ...weighed });
    },
  });
  return [
    {
      label: "async: the one process",
      async make() {
        const weighed = await weights(runtime, pace, ASYNC);
        return row(weighed.supervisor, 1, { ...weighed });
      },
    },
    {
      label: "threads: each more, from 1 to 4",
      async make() {
        const growths: Weight[] = [];
        // Several: when a garbage collector gives memory back is its own affair.
        for (let set = 0; set < pace.sets; set++) growths.push(await growth(runtime, pace));
        return row(typical(growths), 1, { growths });
      },
    },
    workers("processes 2: a worker", { strategy: "processes", workers: 2 }),
    {
      label: "processes 2: the supervisor",
      async make() {
        const weighed = await weights(runtime, pace, { strategy: "processes", workers: 2 });
        return row(weighed.supervisor, 1, { ...weighed });
      },
    },
    workers("spawn, at rest: a spare", { strategy: "spawn" }),
  ];
}

export const memory: Part = {
  name: "memory",
  title: "Memory of a worker",
  text: "After some sessions and a rest. RSS counts shared pages whole, PSS in proportion; " +
    "the last column would be free without it.",
  head: ["what", "how many", "RSS", "PSS", "its own"],
  rows: tasks,
};
