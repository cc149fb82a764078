/** Where the CPU time of a case goes: `npm run bench:profile -- CASE`, or `node bench/profile.ts --help`. */
import { mkdirSync, mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { type Options, options } from "./profile/options.ts";
import { calls, record } from "./profile/record.ts";
import { requireStrace } from "./profile/syscalls.ts";
import { profile, syscalls } from "./profile/tables.ts";
import type { Runtime } from "./runtimes.ts";
import { SIDES } from "./server.ts";
import { bench, found } from "./usage.ts";

const print = (text: string): void => void process.stdout.write(`${text}\n`);

async function report(runtime: Runtime, out: string, wanted: Options): Promise<unknown> {
  const { of, top } = wanted;
  print(`## ${of.name}: ${of.title}, ${runtime.name} ${runtime.version}\n`);
  const recordings = [];
  for (const side of SIDES) {
    const title = side === "portico" ? "Portico" : wanted.against ?? "base";
    const file = join(out, `${of.name}-${runtime.name}-${side}.cpuprofile`);
    const made = await record(runtime, side, of, file, wanted);
    const unit = of.kind === "start" ? "ms until ready" : "µs of CPU for each message";
    print(made ? profile(title, made, top, unit) : `**${title}** is written in C: no profile\n`);
    recordings.push({ side, ...made });
  }
  if (!wanted.syscalls || of.kind === "start") return { runtime: runtime.name, recordings };
  const base = await calls(runtime, "base", of, wanted);
  const portico = await calls(runtime, "portico", of, wanted);
  print(syscalls(base, portico));
  const counts = { base: Object.fromEntries(base), portico: Object.fromEntries(portico) };
  return { runtime: runtime.name, recordings, syscalls: counts };
}

await bench(async () => {
  const wanted = options(process.argv.slice(2));
  if (wanted === undefined) return;
  if (wanted.syscalls) requireStrace();
  const out = wanted.out ?? mkdtempSync(join(tmpdir(), "portico-profile-"));
  mkdirSync(out, { recursive: true });
  const reports = [];
  for (const runtime of found(wanted.runtimes)) reports.push(await report(runtime, out, wanted));
  if (wanted.json !== undefined) {
    writeFileSync(wanted.json, `${JSON.stringify({ case: wanted.of.name, reports }, null, 2)}\n`);
  }
});
