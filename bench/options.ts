/** The command line. */
import process from "node:process";
import { parseArgs } from "node:util";
import { type Case, CASES, type RuntimeName, RUNTIMES } from "./cases.ts";
import { QUICK, type Settings, THOROUGH } from "./settings.ts";

const HELP = `Usage: node bench/main.ts [options]

Measures Portico against the bare API of each runtime, in turn, in one run.

  --runtime NAMES   ${RUNTIMES.join(",")} (default: the first three)
  --case NAMES      only cases whose name begins so, as tcp,udp-16x8
  --pairs N         pairs of processes for each case (default ${THOROUGH.pairs})
  --rounds N        laps of each process (default ${THOROUGH.rounds})
  --seconds S       seconds of a lap (default ${THOROUGH.lap / 1_000})
  --quick           one pair and short laps: a look, not a measurement
  --self            bare against bare: the noise of the harness
  --json FILE       everything that was measured, too

Cases: ${CASES.map(({ name }) => name).join(" ")}
`;

export interface Options {
  readonly runtimes: readonly RuntimeName[];
  readonly cases: readonly Case[];
  readonly settings: Settings;
  readonly json: string | undefined;
}

/** A call that is wrong. */
export class UsageError extends Error {}

function list(text: string | undefined): string[] | undefined {
  return text?.split(",").map((name) => name.trim()).filter((name) => name !== "");
}

function positive(option: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const value = Number(text);
  if (value > 0 && Number.isFinite(value)) return value;
  throw new UsageError(`--${option} takes a number above 0, not ${text}`);
}

function whole(option: string, text: string | undefined): number | undefined {
  const value = positive(option, text);
  if (value === undefined || Number.isInteger(value)) return value;
  throw new UsageError(`--${option} takes a whole number, not ${text}`);
}

function parse(words: string[]) {
  try {
    return parseArgs({
      args: words,
      options: {
        runtime: { type: "string" },
        case: { type: "string" },
        pairs: { type: "string" },
        rounds: { type: "string" },
        seconds: { type: "string" },
        json: { type: "string" },
        quick: { type: "boolean" },
        self: { type: "boolean" },
        help: { type: "boolean", short: "h" },
      },
    }).values;
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error));
  }
}

/** Reads the command line; undefined when only help was wanted. @throws UsageError */
export function options(words: string[]): Options | undefined {
  const values = parse(words);
  if (values.help) {
    process.stdout.write(HELP);
    return undefined;
  }
  const runtimes = list(values.runtime) ?? RUNTIMES.slice(0, 3);
  for (const name of runtimes) {
    if (!RUNTIMES.some((known) => known === name)) {
      throw new UsageError(`--runtime ${name}: there are ${RUNTIMES.join(", ")}`);
    }
  }
  const names = list(values.case);
  const cases = CASES.filter(({ name }) => names?.some((start) => name.startsWith(start)) ?? true);
  if (cases.length === 0) {
    throw new UsageError(`--case: there are ${CASES.map(({ name }) => name).join(", ")}`);
  }
  const basis = values.quick ? QUICK : THOROUGH;
  return {
    runtimes: runtimes as RuntimeName[],
    cases,
    settings: {
      ...basis,
      pairs: whole("pairs", values.pairs) ?? basis.pairs,
      rounds: whole("rounds", values.rounds) ?? basis.rounds,
      lap: (positive("seconds", values.seconds) ?? basis.lap / 1_000) * 1_000,
      self: values.self ?? false,
    },
    json: values.json,
  };
}
