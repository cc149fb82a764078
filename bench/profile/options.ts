/** The command line of `profile.ts`. */
import { resolve } from "node:path";
import process from "node:process";
import { type Case, type RuntimeName, RUNTIMES } from "../case.ts";
import { CASES } from "../cases.ts";
import { chosen, parse, positive, UsageError, whole } from "../usage.ts";

const HELP = `Usage: npm run bench:profile -- CASE [options]

Where the CPU time of a case goes: its two servers, one after the other, under the runtime's own profiler.
Prints the functions and files that take most themselves, in microseconds for each message, and where
the raw profiles lie (.cpuprofile: a browser's developer tools open them).

  --runtime NAMES   ${RUNTIMES.join(",")} (default: the first three)
  --seconds S       how long the load lasts (default 3)
  --top N           rows of a table (default 15)
  --interval US     microseconds between samples (default 250)
  --syscalls        counts system calls for each message, too, with strace
  --out FOLDER      where the profiles are kept (default: a new folder for temporary files)
  --against FOLDER  another checkout of Portico in the place of the base: before and after
  --json FILE       the tables, too

Cases: ${CASES.filter(profiled).map(({ name }) => name).join(" ")}
`;

export interface Options {
  readonly of: Case;
  readonly runtimes: readonly RuntimeName[];
  readonly ms: number;
  readonly top: number;
  readonly interval: number;
  readonly syscalls: boolean;
  readonly out: string | undefined;
  readonly against: string | undefined;
  readonly json: string | undefined;
}

/** Memory is not where time goes. */
function profiled({ kind }: Case): boolean {
  return kind !== "memory" && kind !== "rest";
}

/** Reads the command line; undefined when only help was wanted. @throws UsageError */
export function options(words: string[]): Options | undefined {
  const names = words[0]?.startsWith("-") ? [] : words.slice(0, 1);
  const values = parse({
    args: words.slice(names.length),
    options: {
      runtime: { type: "string" },
      seconds: { type: "string" },
      top: { type: "string" },
      interval: { type: "string" },
      syscalls: { type: "boolean" },
      out: { type: "string" },
      against: { type: "string" },
      json: { type: "string" },
      help: { type: "boolean", short: "h" },
    },
  });
  if (values.help) {
    process.stdout.write(HELP);
    return undefined;
  }
  const of = CASES.find((one) => one.name === names[0] && profiled(one));
  if (of === undefined) {
    const known = CASES.filter(profiled).map(({ name }) => name).join(", ");
    throw new UsageError(`npm run bench:profile -- CASE: there are ${known}`);
  }
  return {
    of,
    runtimes: chosen("runtime", values.runtime, RUNTIMES) ?? RUNTIMES.slice(0, 3),
    ms: (positive("seconds", values.seconds) ?? 3) * 1_000,
    top: whole("top", values.top) ?? 15,
    interval: whole("interval", values.interval) ?? 250,
    syscalls: values.syscalls ?? false,
    out: values.out === undefined ? undefined : resolve(values.out),
    against: values.against === undefined ? undefined : resolve(values.against),
    json: values.json,
  };
}
