/** A process for each session: how many a second, and how long one waits for it. */
import { Generator } from "../churn/client.ts";
import type { ShortWish } from "../churn/load.ts";
import type { ShortReport } from "../churn/report.ts";
import type { Runtime } from "../runtimes.ts";
import type { Pace } from "./pace.ts";
import { ms, type Part, type Row, type Task } from "./part.ts";
import { ASYNC, type Concurrency, withSubjects } from "./subject.ts";

const SPAWN: Concurrency = { strategy: "spawn", max: 40 };
/** Sessions a second, when each has a rest before it: a spare process has the time to become warm. */
const RESTED = 1.5;

type Load = Omit<ShortWish, "endpoint">;

const one = (total: number, rate: number): Load => ({ concurrency: 1, total, rate, bytes: 64 });

async function measure(
  runtime: Runtime,
  concurrency: Concurrency,
  load: Load,
  during: number,
): Promise<Row> {
  const report = await withSubjects(
    runtime,
    [{ concurrency, plugin: "bench/portico/push.ts" }],
    async ([subject]) => {
      const generator = new Generator();
      try {
        const running = await generator.short({ endpoint: subject!.endpoint, ...load });
        if (load.total !== undefined) return await running.done();
        await new Promise((resolve) => setTimeout(resolve, during));
        return await running.stop();
      } finally {
        await generator.close();
      }
    },
  );
  return row(report);
}

function row(report: ShortReport): Row {
  const { completed, tried, seconds, latency } = report;
  return {
    cells: [
      (completed / seconds).toFixed(1),
      ms(latency.p50),
      ms(latency.p99),
      ms(latency.max),
      `${tried - completed} of ${tried}`,
    ],
    values: { ...report },
  };
}

function tasks(runtime: Runtime, pace: Pace): readonly Task[] {
  const task = (label: string, concurrency: Concurrency, load: Load): Task => ({
    label,
    make: () => measure(runtime, pace.self ? ASYNC : concurrency, load, pace.rush),
  });
  return [
    task("async, one after the other", ASYNC, one(pace.serial, 1_000)),
    task(
      "spawn, one at a time with a rest before it (a warm spare)",
      SPAWN,
      one(pace.rested, RESTED),
    ),
    task("spawn, one right after the other (no time for a spare)", SPAWN, one(pace.serial, 1_000)),
    task("spawn, 8 at once", SPAWN, { concurrency: 8, bytes: 64 }),
  ];
}

export const spawn: Part = {
  name: "spawn",
  title: "A process for each session",
  text: "Sessions of 64 B: connect, echo, close. Latency from the connect to the end. " +
    "How far the second row is below the third is what the warm spare hides.",
  head: ["sessions", "a second", "p50", "p99", "longest", "failed"],
  rows: tasks,
};
