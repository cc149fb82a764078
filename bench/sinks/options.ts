/** The command line of `sinks.ts`. */
import process from "node:process";
import { type RuntimeName, RUNTIMES } from "../case.ts";
import { chosen, parse, whole } from "../usage.ts";

const COUNT = 300_000;

const HELP = `Usage: node bench/sinks.ts [options]

Measures how many records a second are written into a file, beside LogTape and pino. What a file sink
costs an echo server is in the main benchmark: npm run bench -- --case sink.

  --runtime NAMES   ${RUNTIMES.join(",")} (default: the first three)
  --count N         records of a lap (default ${COUNT})
  --quick           one lap: a look, not a measurement
`;

export interface Options {
  readonly runtimes: readonly RuntimeName[];
  /** Records of a lap, and laps of each logger. */
  readonly count: number;
  readonly laps: number;
}

/** Reads the command line; undefined when only help was wanted. @throws UsageError */
export function options(words: string[]): Options | undefined {
  const values = parse({
    args: words,
    options: {
      runtime: { type: "string" },
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
    count: whole("count", values.count) ?? COUNT,
    laps: values.quick ? 1 : 3,
  };
}
