/** The command line. */
import { resolve } from "node:path";
import process from "node:process";
import { type Case, type RuntimeName, RUNTIMES } from "./case.ts";
import { CASES } from "./cases.ts";
import { QUICK, type Settings, SMOKE, THOROUGH } from "./settings.ts";
import { chosen, parse, positive, UsageError, whole } from "./usage.ts";

const HELP = `Usage: node bench/main.ts [options]

Measures Portico against the bare API of each runtime (a case may name another base), in turn, in one run.

  --runtime NAMES   ${RUNTIMES.join(",")} (default: the first three)
  --case NAMES      only cases whose name begins so, as tcp,udp-16x8; those in parentheses in full
  --pairs N         pairs of processes for each case (default ${THOROUGH.pairs})
  --rounds N        laps of each process (default ${THOROUGH.rounds})
  --seconds S       seconds of a lap (default ${THOROUGH.lap / 1_000})
  --quick           one pair and short laps: a look, not a measurement
  --smoke           one lap of a moment: does it run?
  --self            the base against itself: the noise of the harness
  --against FOLDER  another checkout of Portico in the place of the base: after ÷ before
  --json FILE       everything that was measured, too
  --print FILES     measures nothing: the tables of what --json has kept, of several files as of one

Cases: ${CASES.map(({ name, extra }) => extra ? `(${name})` : name).join(" ")}
`;

export interface Options {
  readonly runtimes: readonly RuntimeName[];
  readonly cases: readonly Case[];
  readonly settings: Settings;
  readonly json: string | undefined;
  readonly print: readonly string[] | undefined;
}

function list(text: string | undefined): string[] | undefined {
  return text?.split(",").map((name) => name.trim()).filter((name) => name !== "");
}

/** Reads the command line; undefined when only help was wanted. @throws UsageError */
export function options(words: string[]): Options | undefined {
  const values = parse({
    args: words,
    options: {
      runtime: { type: "string" },
      case: { type: "string" },
      pairs: { type: "string" },
      rounds: { type: "string" },
      seconds: { type: "string" },
      json: { type: "string" },
      print: { type: "string" },
      quick: { type: "boolean" },
      smoke: { type: "boolean" },
      self: { type: "boolean" },
      against: { type: "string" },
      help: { type: "boolean", short: "h" },
    },
  });
  if (values.help) {
    process.stdout.write(HELP);
    return undefined;
  }
  const names = list(values.case);
  const cases = CASES.filter(({ name, extra }) =>
    names?.some((start) => name === start || (!extra && name.startsWith(start))) ?? !extra
  );
  if (cases.length === 0) {
    throw new UsageError(`--case: there are ${CASES.map(({ name }) => name).join(", ")}`);
  }
  const basis = values.smoke ? SMOKE : values.quick ? QUICK : THOROUGH;
  return {
    runtimes: chosen("runtime", values.runtime, RUNTIMES) ?? RUNTIMES.slice(0, 3),
    cases,
    settings: {
      ...basis,
      pairs: whole("pairs", values.pairs) ?? basis.pairs,
      rounds: whole("rounds", values.rounds) ?? basis.rounds,
      lap: (positive("seconds", values.seconds) ?? basis.lap / 1_000) * 1_000,
      self: values.self ?? false,
      against: values.against === undefined ? undefined : resolve(values.against),
    },
    json: values.json,
    print: list(values.print),
  };
}
