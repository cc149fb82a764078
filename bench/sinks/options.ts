/** The command line of `sinks.ts`. */
import process from "node:process";
import { type RuntimeName, RUNTIMES } from "../cases.ts";
import { chosen, parse, whole } from "../usage.ts";
import type { Pace } from "./cost.ts";

const PARTS = ["rate", "cost"] as const;
export type PartName = typeof PARTS[number];

const THOROUGH: Pace = { pairs: 2, rounds: 12, lap: 1_000 };
const QUICK: Pace = { pairs: 1, rounds: 4, lap: 250 };
const COUNT = 300_000;

const HELP = `Usage: node bench/sinks.ts [options]

Measures how many records a second are written into a file, beside LogTape and pino; and what an
info-level file sink costs an echo server, beside one whose log is "none".

  --runtime NAMES   ${RUNTIMES.join(",")} (default: the first three)
  --part NAMES      only some of ${PARTS.join(",")}
  --count N         records of a lap (default ${COUNT})
  --quick           few and short laps: a look, not a measurement
`;

export interface Options {
  readonly runtimes: readonly RuntimeName[];
  readonly parts: readonly PartName[];
  /** Records of a lap, and laps of each logger. */
  readonly count: number;
  readonly laps: number;
  readonly pace: Pace;
}

/** Reads the command line; undefined when only help was wanted. @throws UsageError */
export function options(words: string[]): Options | undefined {
  const values = parse({
    args: words,
    options: {
      runtime: { type: "string" },
      part: { type: "string" },
      count: { type: "string" },
      quick: { type: "boolean" },
      help: { type: "boolean", short: "h" },
    },
  });
  if (values.help) {
    process.stdout.write(HELP);
    return undefined;
  }
  return {
    runtimes: chosen("runtime", values.runtime, RUNTIMES) ?? RUNTIMES.slice(0, 3),
    parts: chosen("part", values.part, PARTS) ?? PARTS,
    count: whole("count", values.count) ?? COUNT,
    laps: values.quick ? 1 : 3,
    pace: values.quick ? QUICK : THOROUGH,
  };
}
