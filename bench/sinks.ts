/**
 * The benchmark of the sinks: records a second into a file, beside LogTape and pino; and what such a sink costs an
 * echo server. `node bench/sinks.ts [--runtime node,deno,bun] [--part rate|cost] [--count N]
 * [--quick]`.
 */
import { execFileSync } from "node:child_process";
import { rmSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { parseArgs } from "node:util";
import { machine } from "./machine.ts";
import { clean, folder } from "./processes.ts";
import { environment, find, ROOT, type Runtime } from "./runtimes.ts";
import type { RuntimeName } from "./cases.ts";
import { cost, type Pace } from "./sinks/cost.ts";
import { median } from "./statistics.ts";

const LOGGERS = ["portico", "pino", "logtape"] as const;

const { values } = parseArgs({
  options: {
    runtime: { type: "string", default: "node,deno,bun" },
    count: { type: "string", default: "300000" },
    part: { type: "string", default: "rate,cost" },
    quick: { type: "boolean", default: false },
  },
});
const names = values.runtime.split(",") as RuntimeName[];
const pace: Pace = values.quick
  ? { pairs: 1, rounds: 4, lap: 250 }
  : { pairs: 2, rounds: 6, lap: 300 };
const parts = values.part.split(",");
const rounds = values.quick ? 1 : 3;

interface Rate {
  readonly seconds: number;
  readonly cpu: number;
  readonly size: number;
}

function rate(runtime: Runtime, logger: string): Rate {
  const path = join(folder(), `${logger}.log`);
  const script = join(ROOT, "bench/sinks/rate.ts");
  const words = [...runtime.flags, script, logger, path, values.count];
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

function rates(runtime: Runtime): void {
  const found = new Map<string, Rate[]>(LOGGERS.map((logger) => [logger, []]));
  // In turn: what changes slowly weighs on all alike.
  for (let round = 0; round < rounds; round++) {
    for (const logger of LOGGERS) found.get(logger)!.push(rate(runtime, logger));
  }
  for (const [logger, list] of found) {
    const count = Number(values.count);
    const persecond = Math.round(count / median(list.map(({ seconds }) => seconds)));
    const each = (median(list.map(({ cpu }) => cpu)) / count * 1e6).toFixed(2);
    print(`| ${runtime.name} | ${logger} | ${persecond.toLocaleString("en")} | ${each} µs |`);
  }
}

async function costs(there: readonly Runtime[]): Promise<void> {
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

try {
  const there = names.map((name) => find(name));
  const { date, processor, cores, system } = machine(there);
  print(`${date}: ${processor}, ${cores} cores, ${system}\n`);
  if (parts.includes("rate")) {
    print("| runtime | logger | records a second | CPU for each |");
    print("| --- | --- | ---: | ---: |");
    for (const runtime of there) rates(runtime);
  }
  if (parts.includes("cost")) await costs(there);
} finally {
  clean();
}
