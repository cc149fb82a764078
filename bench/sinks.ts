/** The benchmark of the sinks: records a second into a file, beside LogTape and pino. `node bench/sinks.ts --help`. */
import { execFileSync } from "node:child_process";
import { rmSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { machine } from "./machine.ts";
import { folder } from "./processes.ts";
import { environment, ROOT, type Runtime } from "./runtimes.ts";
import { options } from "./sinks/options.ts";
import { median } from "./statistics.ts";
import { bench, found } from "./usage.ts";

const LOGGERS = ["portico", "pino", "logtape"] as const;

interface Rate {
  readonly seconds: number;
  readonly cpu: number;
  readonly size: number;
}

function rate(runtime: Runtime, logger: string, count: number): Rate {
  const path = join(folder(), `${logger}.log`);
  const script = join(ROOT, "bench/sinks/rate.ts");
  const words = [...runtime.flags, script, logger, path, String(count)];
  try {
    const out = execFileSync(runtime.program, words, {
      env: environment,
      encoding: "utf8",
      stdio: ["ignore", "pipe", "inherit"],
    });
    return JSON.parse(out);
  } finally {
    rmSync(path, { force: true });
  }
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}

function rates(runtime: Runtime, count: number, laps: number): void {
  const taken = new Map<string, Rate[]>(LOGGERS.map((logger) => [logger, []]));
  // In turn: what changes slowly weighs on all alike.
  for (let lap = 0; lap < laps; lap++) {
    for (const logger of LOGGERS) taken.get(logger)!.push(rate(runtime, logger, count));
  }
  for (const [logger, list] of taken) {
    const persecond = Math.round(count / median(list.map(({ seconds }) => seconds)));
    const each = (median(list.map(({ cpu }) => cpu)) / count * 1e6).toFixed(2);
    print(`| ${runtime.name} | ${logger} | ${persecond.toLocaleString("en")} | ${each} µs |`);
  }
}

await bench(() => {
  const wanted = options(process.argv.slice(2));
  if (wanted === undefined) return;
  const { runtimes, count, laps } = wanted;
  const there = found(runtimes);
  const { date, processor, cores, system } = machine(there);
  print(`${date}: ${processor}, ${cores} cores, ${system}\n`);
  print("| runtime | logger | records a second | CPU for each |");
  print("| --- | --- | ---: | ---: |");
  for (const runtime of there) rates(runtime, count, laps);
});
