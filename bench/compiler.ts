/** What is written in C: the load generator, and servers to compare with. Compiled on demand, into the run's folder. */
import { execFileSync } from "node:child_process";
import { globSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { folder } from "./processes.ts";
import { ROOT } from "./runtimes.ts";

const SOURCES = {
  load: "bench/c/load/*.c",
  echo: "bench/c/echo.c",
  inetd: "bench/c/inetd.c",
} as const;

export type ProgramName = keyof typeof SOURCES;

const made = new Map<ProgramName, string>();
let known: string | undefined;

/** The compiler: `CC`, or `cc`; undefined when there is none. */
function compiler(): string | undefined {
  if (known !== undefined) return known || undefined;
  const name = process.env["CC"] ?? "cc";
  try {
    execFileSync(name, ["--version"], { stdio: "ignore" });
    known = name;
  } catch {
    known = "";
  }
  return known || undefined;
}

/** Whether the programs can be had here. */
export function compiles(): boolean {
  return compiler() !== undefined;
}

/** The program's path. @throws when there is no compiler, or it complains */
export function program(name: ProgramName): string {
  const there = made.get(name);
  if (there !== undefined) return there;
  const cc = compiler();
  if (cc === undefined) {
    throw new Error(`${SOURCES[name]} needs a C compiler: cc, or what CC names`);
  }
  const path = join(folder(), name);
  const sources = globSync(SOURCES[name], { cwd: ROOT });
  execFileSync(cc, ["-O2", "-o", path, ...sources], { cwd: ROOT });
  made.set(name, path);
  return path;
}
