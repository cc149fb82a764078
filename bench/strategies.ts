/**
 * The benchmark of the strategies: what a second worker is worth, what the way over a supervisor costs,
 * how long a process for a session and a reload take. `node bench/strategies.ts --help`.
 */
import { writeFileSync } from "node:fs";
import process from "node:process";
import { machine } from "./machine.ts";
import type { Runtime } from "./runtimes.ts";
import { type Options, options } from "./strategies/options.ts";
import type { Made, Task } from "./strategies/part.ts";
import { quiet } from "./strategies/quiet.ts";
import { brief, markdown, type Section } from "./strategies/report.ts";
import { bench, found, say } from "./usage.ts";

async function made(runtime: Runtime, { label, make }: Task): Promise<Made> {
  const others = await quiet();
  try {
    const row = await make();
    return { runtime: runtime.name, label, others: others(), ...row };
  } catch (error) {
    const text = error instanceof Error ? error.message : String(error);
    return { runtime: runtime.name, label, others: others(), error: text };
  }
}

async function measure({ runtimes, parts, row, pace, json }: Options): Promise<void> {
  const there = found(runtimes);
  const where = machine(there);
  const sections: Section[] = [];
  for (const part of parts) {
    const rows: Made[] = [];
    for (const runtime of there) {
      for (const task of part.rows(runtime, pace)) {
        if (!task.label.includes(row)) continue;
        const one = await made(runtime, task);
        rows.push(one);
        say(brief(part, one));
      }
    }
    sections.push({ part, rows });
  }
  process.stdout.write(markdown(where, sections));
  if (json !== undefined) {
    const parts = sections.map(({ part: { name, title }, rows }) => ({ name, title, rows }));
    writeFileSync(json, `${JSON.stringify({ machine: where, pace, parts }, null, 2)}\n`);
  }
  if (sections.some(({ rows }) => rows.some((made) => "error" in made))) process.exitCode = 1;
}

await bench(async () => {
  const wanted = options(process.argv.slice(2));
  if (wanted !== undefined) await measure(wanted);
});
