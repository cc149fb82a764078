/** What the command lines of all benchmarks have in common. */
import process from "node:process";
import { parseArgs, type ParseArgsConfig } from "node:util";
import type { RuntimeName } from "./case.ts";
import { clean } from "./processes.ts";
import { find, type Runtime } from "./runtimes.ts";

/** A call that is wrong. */
export class UsageError extends Error {}

type Parsed<Config extends ParseArgsConfig> = ReturnType<typeof parseArgs<Config>>["values"];

/** As parseArgs of node:util. @throws UsageError */
export function parse<const Config extends ParseArgsConfig>(config: Config): Parsed<Config> {
  try {
    return parseArgs(config).values;
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error));
  }
}

/** The known ones of a list with commas; undefined when silent. @throws UsageError */
export function chosen<Name extends string>(
  option: string,
  text: string | undefined,
  known: readonly Name[],
): readonly Name[] | undefined {
  return text?.split(",").map((word) => {
    const name = known.find((one) => one === word.trim());
    if (name === undefined) {
      throw new UsageError(`--${option} ${word}: there are ${known.join(", ")}`);
    }
    return name;
  });
}

/** A number above 0; undefined when silent. @throws UsageError */
export function positive(option: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const value = Number(text);
  if (value > 0 && Number.isFinite(value)) return value;
  throw new UsageError(`--${option} takes a number above 0, not ${text}`);
}

/** A whole number above 0; undefined when silent. @throws UsageError */
export function whole(option: string, text: string | undefined): number | undefined {
  const value = positive(option, text);
  if (value === undefined || Number.isInteger(value)) return value;
  throw new UsageError(`--${option} takes a whole number, not ${text}`);
}

/** On stderr: what is not the result. */
export function say(text: string): void {
  process.stderr.write(`${text}\n`);
}

/** Those of the runtimes that are installed. */
export function found(names: readonly RuntimeName[]): Runtime[] {
  return names.flatMap((name) => {
    try {
      return [find(name)];
    } catch {
      say(`${name} is not installed: left out`);
      return [];
    }
  });
}

/** Runs a benchmark. A call that is wrong ends with its message and exit code 2; nothing is left behind. */
export async function bench(run: () => void | Promise<void>): Promise<void> {
  try {
    if (process.platform !== "linux") {
      throw new UsageError("the benchmark reads CPU time and memory from /proc: it needs Linux");
    }
    await run();
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    say(error.message);
    process.exitCode = 2;
  } finally {
    clean();
  }
}
