/** The benchmark: `npm run bench`, or `node bench/main.ts --help`. */
import { readFileSync, writeFileSync } from "node:fs";
import process from "node:process";
import type { Case } from "./case.ts";
import { machine } from "./machine.ts";
import { memory } from "./memory.ts";
import { type Options, options } from "./options.ts";
import { brief, markdown, type Report } from "./report.ts";
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

async function measure({ runtimes, cases, settings, json }: Options): Promise<void> {
  const there = found(runtimes);
  const report: Report = { machine: machine(there), settings, rows: [] };
  for (const runtime of there) {
    for (const of of cases) {
      if (of.runtimes?.includes(runtime.name) === false) continue;
      const made = await row(runtime, of, settings);
      report.rows.push(made);
      say(brief(made));
      // What has been measured is not lost when the rest is not waited for.
      if (json !== undefined) writeFileSync(json, `${JSON.stringify(report, null, 2)}\n`);
    }
  }
  process.stdout.write(markdown(report));
  if (report.rows.some((made) => "error" in made)) process.exitCode = 1;
}

/** Several reports as one, whose rows replace those of the ones before. */
function merged(files: readonly string[]): Report {
  const [first, ...others] = files.map((file) => JSON.parse(readFileSync(file, "utf8")) as Report);
  for (const { machine, rows } of others) {
    for (const runtime of machine.runtimes) {
      if (first!.machine.runtimes.some(({ name }) => name === runtime.name)) continue;
      first!.machine.runtimes.push(runtime);
    }
    for (const row of rows) {
      const same = ({ runtime, name }: Result | Failure) =>
        runtime === row.runtime && name === row.name;
      const at = first!.rows.findIndex(same);
      first!.rows.splice(at < 0 ? first!.rows.length : at, at < 0 ? 0 : 1, row);
    }
  }
  return first!;
}

await bench(async () => {
  const wanted = options(process.argv.slice(2));
  if (wanted === undefined) return;
  if (wanted.print === undefined) await measure(wanted);
  else process.stdout.write(markdown(merged(wanted.print)));
});
