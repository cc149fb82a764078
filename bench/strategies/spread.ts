/** How evenly sessions come to the workers. */
import type { Runtime } from "../runtimes.ts";
import { ask, Line, tally, worker } from "./ask.ts";
import type { Pace } from "./pace.ts";
import type { Part, Row } from "./part.ts";
import { ASYNC, type Concurrency, title, withSubjects } from "./subject.ts";

const KINDS: readonly Concurrency[] = (["threads", "processes"] as const).flatMap((strategy) =>
  [2, 4].map((workers) => ({ strategy, workers }))
);
const STAYING = 200;
const PASSING = 400;
/** Connections asked for together. */
const AT_ONCE = 16;

/** Does `count` things, so many at a time. */
async function many<Result>(count: number, make: () => Promise<Result>): Promise<Result[]> {
  const results: Result[] = [];
  const lane = async (): Promise<void> => {
    while (count-- > 0) results.push(await make());
  };
  await Promise.all(Array.from({ length: AT_ONCE }, lane));
  return results;
}

async function staying(port: number): Promise<string[]> {
  const lines: Line[] = [];
  try {
    return await many(STAYING, async () => {
      const line = new Line(port);
      lines.push(line);
      return worker(await line.ask("who\n"));
    });
  } finally {
    for (const line of lines) line.close();
  }
}

/** `92 and 108`: fewest and most of all workers, also of those that had none. */
function extremes(names: readonly string[], workers: number): { fewest: number; most: number } {
  const counts = [...tally(names).values()];
  return {
    fewest: counts.length < workers ? 0 : Math.min(...counts),
    most: Math.max(...counts),
  };
}

async function measure(runtime: Runtime, pace: Pace, kind: Concurrency): Promise<Row> {
  const concurrency = pace.self ? ASYNC : kind;
  const workers = concurrency.workers ?? 1;
  const plugin = "examples/workers/workers.ts";
  return await withSubjects(
    runtime,
    [{ concurrency, plugin, options: { ms: 1 } }],
    async ([subject]) => {
      const { port } = subject!;
      const stay = extremes(await staying(port), workers);
      const pass = extremes(
        await many(PASSING, async () => worker(await ask(port, "who\n"))),
        workers,
      );
      return {
        cells: [
          `${stay.fewest} … ${stay.most}`,
          `${STAYING / workers}`,
          `${pass.fewest} … ${pass.most}`,
          `${PASSING / workers}`,
        ],
        values: { stay, pass, workers, staying: STAYING, passing: PASSING },
      };
    },
  );
}

export const spread: Part = {
  name: "spread",
  title: "How sessions are spread over the workers",
  text:
    `${STAYING} connections that stay, and ${PASSING} that ask for a millisecond of work and go, ` +
    `${AT_ONCE} at a time: how many the worker with the fewest and the one with the most had.`,
  head: ["strategy", "staying", "even is", "passing", "even is"],
  rows: (runtime, pace) =>
    KINDS.map((kind) => ({ label: title(kind), make: () => measure(runtime, pace, kind) })),
};
