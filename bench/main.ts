/** The benchmark: `npm run bench`, or `node bench/main.ts --help`. */
import { writeFileSync } from "node:fs";
import process from "node:process";
import type { Case } from "./case.ts";
import { machine } from "./machine.ts";
import { memory } from "./memory.ts";
import { type Options, options } from "./options.ts";
import { brief, markdown } from "./report.ts";
import { rest } from "./rest.ts";
import { conclude, type Failure, type Result } from "./result.ts";
import type { Runtime } from "./runtimes.ts";
import type { Settings } from "./settings.ts";
import { speed } from "./speed.ts";
import { start } from "./start.ts";
import { bench, found, say } from "./usage.ts";

const MEASURES = { speed, memory, start, rest, latency: speed, pace: speed };

async function row(
  runtime: Runtime,
  of: Case,
  settings: Settings,
): Promise<Result | Failure> {
  try {
    const rounds = await MEASURES[of.kind](runtime, of, settings);
    const target = settings.self || settings.against !== undefined
      ? undefined
      : of.target(runtime.name);
    return conclude(runtime.name, of, rounds, target);
  } catch (error) {
    const { name, title } = of;
    return { runtime: runtime.name, name, title, error: String(error) };
  }
}

/** What stands in the columns, the first of which are called "bare". */
function titleOf({ self, against }: Settings): string {
  if (self) return "the same again";
  return against === undefined ? "Portico" : "this checkout";
}

async function measure({ runtimes, cases, settings, json }: Options): Promise<void> {
  const there = found(runtimes);
  const where = machine(there);
  const rows: (Result | Failure)[] = [];
  for (const runtime of there) {
    for (const of of cases) {
      const made = await row(runtime, of, settings);
      rows.push(made);
      say(brief(made));
    }
  }
  process.stdout.write(markdown(where, rows, titleOf(settings)));
  if (json !== undefined) {
    writeFileSync(json, `${JSON.stringify({ machine: where, settings, rows }, null, 2)}\n`);
  }
  if (rows.some((made) => "error" in made)) process.exitCode = 1;
}

await bench(async () => {
  const wanted = options(process.argv.slice(2));
  if (wanted !== undefined) await measure(wanted);
});
