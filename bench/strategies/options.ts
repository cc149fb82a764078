/** The command line of `strategies.ts`. */
import process from "node:process";
import { type RuntimeName, RUNTIMES } from "../case.ts";
import { chosen, parse } from "../usage.ts";
import { cpu } from "./cpu.ts";
import { echo } from "./echo.ts";
import { lifecycle } from "./lifecycle.ts";
import { memory } from "./memory.ts";
import { type Pace, QUICK, THOROUGH } from "./pace.ts";
import type { Part } from "./part.ts";
import { reload } from "./reload.ts";
import { spawn } from "./spawn.ts";
import { spread } from "./spread.ts";

const PARTS: readonly Part[] = [cpu, echo, spawn, spread, reload, lifecycle, memory];
const NAMES = PARTS.map(({ name }) => name).join(",");

const HELP = `Usage: node bench/strategies.ts [options]

Measures what the strategies threads, processes and spawn gain and cost, against async.

  --runtime NAMES   ${RUNTIMES.join(",")} (default: the first three)
  --part NAMES      only some of ${NAMES}
  --row TEXT        only rows whose label has this in it, as processes
  --self            async in the place of every strategy: the noise of the harness
  --quick           few and short laps: a look, not a measurement
  --json FILE       everything that was measured, too
`;

export interface Options {
  readonly runtimes: readonly RuntimeName[];
  readonly parts: readonly Part[];
  readonly row: string;
  readonly pace: Pace;
  readonly json: string | undefined;
}

/** Reads the command line; undefined when only help was wanted. @throws UsageError */
export function options(words: string[]): Options | undefined {
  const values = parse({
    args: words,
    options: {
      runtime: { type: "string" },
      part: { type: "string" },
      row: { type: "string" },
      json: { type: "string" },
      quick: { type: "boolean" },
      self: { type: "boolean" },
      help: { type: "boolean", short: "h" },
    },
  });
  if (values.help) {
    process.stdout.write(HELP);
    return undefined;
  }
  const names = PARTS.map(({ name }) => name);
  const parts = chosen("part", values.part, names) ?? names;
  return {
    runtimes: chosen("runtime", values.runtime, RUNTIMES) ?? RUNTIMES.slice(0, 3),
    parts: PARTS.filter(({ name }) => parts.includes(name)),
    row: values.row ?? "",
    pace: { ...(values.quick ? QUICK : THOROUGH), self: values.self ?? false },
    json: values.json,
  };
}
