/**
 * The benchmark of the sinks: records a second into a file, beside LogTape and pino; and what such a sink costs an
 * echo server. `node bench/sinks.ts --help`.
 */
import { execFileSync } from "node:child_process";
import { rmSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { machine } from "./machine.ts";
import { folder } from "./processes.ts";
import { environment, find, ROOT, type Runtime } from "./runtimes.ts";
import { cost, type Pace } from "./sinks/cost.ts";
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

async function costs(there: readonly Runtime[], pace: Pace): Promise<void> {
  print("\n| runtime | CPU for each | log none | info to a file | ratio | middle half |");
  print("| --- | --- | ---: | ---: | ---: | ---: |");
  const client = find("bun");
  for (const runtime of there) {
    for (const name of ["connect", "tcp-64x64"]) {
      const { what, none, file, ratio, low, high } = await cost(runtime, client, name, pace);
      const each = [none, file].map((value) => `${value.toFixed(2)} µs`).join(" | ");
      const half = [low, high].map((value) => value.toFixed(2)).join(" … ");
      print(`| ${runtime.name} | ${what} | ${each} | ${ratio.toFixed(2)} | ${half} |`);
    }
  }
}

await bench(async () => {
  const wanted = options(process.argv.slice(2));
  if (wanted === undefined) return;
  const { runtimes, parts, count, laps, pace } = wanted;
  const there = found(runtimes);
  const { date, processor, cores, system } = machine(there);
  print(`${date}: ${processor}, ${cores} cores, ${system}\n`);
  if (parts.includes("rate")) {
    print("| runtime | logger | records a second | CPU for each |");
    print("| --- | --- | ---: | ---: |");
    for (const runtime of there) rates(runtime, count, laps);
  }
  if (parts.includes("cost")) await costs(there, pace);
});
