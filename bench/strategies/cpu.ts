/** A handler that burns five milliseconds for each request: what a second core is worth. */
import type { Runtime } from "../runtimes.ts";
import { median } from "../statistics.ts";
import { Line, tally, worker } from "./ask.ts";
import type { Pace } from "./pace.ts";
import { judged, type Part, type Row } from "./part.ts";
import { ASYNC, type Concurrency, type Subject, title, withSubjects } from "./subject.ts";

const KINDS: readonly Concurrency[] = [
  { strategy: "threads", workers: 2 },
  { strategy: "processes", workers: 2 },
];
const CONNECTIONS = 8;
const TARGET = 1.85;
/** The work: about five milliseconds. */
const OPTIONS = { ms: 5 };

/** The connections to one server, each with one request under way while a lap runs. */
class Crowd {
  readonly #lines: readonly Line[];

  constructor({ port }: Subject) {
    this.#lines = Array.from({ length: CONNECTIONS }, () => new Line(port));
  }

  /** Requests a second. Who answered is added to `by`. */
  async run(ms: number, by: string[]): Promise<number> {
    const began = performance.now();
    let count = 0;
    const lane = async (line: Line): Promise<void> => {
      while (performance.now() - began < ms) {
        by.push(worker(await line.ask(`${count}\n`)));
        count++;
      }
    };
    await Promise.all(this.#lines.map(lane));
    return count / (performance.now() - began) * 1_000;
  }

  close(): void {
    for (const line of this.#lines) line.close();
  }
}

/** The part of the requests that the busiest worker has had; 0.5 is fair for two. */
function share(by: readonly string[]): number {
  return Math.max(...tally(by).values()) / by.length;
}

async function measure(runtime: Runtime, pace: Pace, kind: Concurrency): Promise<Row> {
  const rates: Record<"base" | "other", number[]> = { base: [], other: [] };
  const by: string[] = [];
  for (let set = 0; set < pace.sets; set++) {
    const wanted = [ASYNC, pace.self ? ASYNC : kind].map((concurrency) => ({
      concurrency,
      plugin: "examples/workers/workers.ts",
      options: OPTIONS,
    }));
    await withSubjects(runtime, wanted, async (subjects) => {
      const crowds = subjects.map((subject) => new Crowd(subject));
      const [base, other] = crowds as [Crowd, Crowd];
      try {
        for (const crowd of crowds) await crowd.run(pace.warmUp / 2, []);
        for (let lap = 0; lap < pace.laps; lap++) {
          // Both orders in turn: what changes slowly weighs on both alike.
          if (lap % 2 === 0) rates.base.push(await base.run(pace.cpuLap, []));
          rates.other.push(await other.run(pace.cpuLap, by));
          if (lap % 2 === 1) rates.base.push(await base.run(pace.cpuLap, []));
        }
      } finally {
        for (const crowd of crowds) crowd.close();
      }
    });
  }
  const ratio = median(rates.other.map((rate, lap) => rate / rates.base[lap]!));
  const busiest = share(by);
  return {
    cells: [
      median(rates.base).toFixed(0),
      median(rates.other).toFixed(0),
      judged(ratio, TARGET, "least"),
      `${(busiest * 100).toFixed(0)} %`,
    ],
    values: { rates, ratio, target: TARGET, busiest },
  };
}

export const cpu: Part = {
  name: "cpu",
  title: "A handler that burns 5 ms of CPU for each request",
  text:
    `Requests a second over ${CONNECTIONS} connections, each with one under way, on all cores; ` +
    "laps in turn, the ratio is the median over laps. The last column is what the busiest worker had.",
  head: ["strategy", "async", "with it", "÷ async", "busiest"],
  rows: (runtime, pace) =>
    KINDS.map((kind) => ({
      label: title(kind),
      make: () => measure(runtime, pace, kind),
    })),
};
