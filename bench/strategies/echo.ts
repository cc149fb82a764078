/** Plain echo through one worker process: what the way over a supervisor costs. */
import { Client } from "../client.ts";
import type { Lap, Shape, Target } from "../load/traffic.ts";
import type { Runtime } from "../runtimes.ts";
import { median, quantile } from "../statistics.ts";
import type { Pace } from "./pace.ts";
import { judged, type Part, type Row } from "./part.ts";
import { ASYNC, type Concurrency, type Subject, title, withSubjects } from "./subject.ts";

const KINDS: readonly Concurrency[] = [
  { strategy: "processes", workers: 1 },
  { strategy: "threads", workers: 1 },
];
const SHAPE: Shape = { kind: "echo", sockets: 64, size: 64, depth: 1, rate: 0 };
const TARGET = 1.03;

function target({ port }: Subject): Target {
  return { transport: "tcp", port, path: "" };
}

/** CPU microseconds for each message, of the supervisor and all its workers. */
const cost = (lap: Lap): number => lap.cpu / 1_000 / lap.loads[0]!.messages;

async function laps(
  client: Client,
  subjects: readonly Subject[],
  pace: Pace,
  costs: readonly number[][],
): Promise<void> {
  const run = (index: number, ms: number): Promise<Lap> => {
    const { pid, workers } = subjects[index]!;
    return client.run([`${index}`], ms, [pid, ...workers]);
  };
  for (const [index, subject] of subjects.entries()) {
    await client.open(`${index}`, target(subject), SHAPE);
  }
  for (const index of [0, 1, 0, 1]) await run(index, pace.warmUp / 2);
  for (let lap = 0; lap < pace.laps; lap++) {
    for (const index of lap % 2 === 0 ? [0, 1] : [1, 0]) {
      costs[index]!.push(cost(await run(index, pace.echoLap)));
    }
  }
}

async function measure(runtime: Runtime, pace: Pace, kind: Concurrency): Promise<Row> {
  const costs: [number[], number[]] = [[], []];
  for (let set = 0; set < pace.sets; set++) {
    const wanted = [ASYNC, pace.self ? ASYNC : kind].map((concurrency) => ({
      concurrency,
      plugin: "bench/portico/push.ts",
      core: "server" as const,
    }));
    await withSubjects(runtime, wanted, async (subjects) => {
      const client = new Client();
      try {
        await laps(client, subjects, pace, costs);
      } finally {
        await client.stop();
      }
    });
  }
  const [base, other] = costs;
  const ratios = other.map((value, lap) => value / base[lap]!);
  const ratio = median(ratios);
  const [low, high] = [quantile(ratios, 0.25), quantile(ratios, 0.75)];
  return {
    cells: [
      `${median(base).toFixed(2)} µs`,
      `${median(other).toFixed(2)} µs`,
      judged(ratio, TARGET, "most"),
      `${low.toFixed(2)} … ${high.toFixed(2)}`,
    ],
    values: { base, other, ratio, low, high, target: TARGET },
  };
}

export const echo: Part = {
  name: "echo",
  title: "Plain echo, TCP 64 B, 64 connections",
  text:
    "CPU time for each message, summed over the supervisor and its workers, which share one core; " +
    "the client has the other. Laps in turn, the ratio is the median over laps.",
  head: ["strategy", "async", "with it", "÷ async", "middle half"],
  rows: (runtime, pace) =>
    KINDS.map((kind) => ({ label: title(kind), make: () => measure(runtime, pace, kind) })),
};
