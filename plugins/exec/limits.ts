/**
 * Limits and priorities of programs, by the programs that there are for it: nice(1), ionice(1), prlimit(1). Each
 * sets what it is for, and becomes the next: there is no moment at which the program runs without.
 */
import process from "node:process";
import { getPriority } from "node:os";
import * as v from "valibot";
import { PorticoError } from "../../runtime/mod.ts";
import { described, duration, size } from "../units.ts";
import { findProgram } from "./find.ts";

/** What each program may use. Sizes are bytes, durations ms. */
export interface ProgramResources {
  readonly memory?: number | undefined;
  readonly data?: number | undefined;
  readonly stack?: number | undefined;
  readonly cpu?: number | undefined;
  readonly files?: number | undefined;
  readonly processes?: number | undefined;
  readonly core?: number | undefined;
}

/** What a manifest may say of it: durations as `"5s"` or ms, sizes as `"4KiB"` or bytes. */
export type ProgramResourcesInput = {
  readonly [Name in keyof ProgramResources]?: Name extends "files" | "processes"
    ? number | undefined
    : string | number | undefined;
};

/** Limits, and priorities. */
export interface ProgramLimits {
  readonly nice?: number | undefined;
  readonly ioprio?: string | undefined;
  readonly resources?: ProgramResources | undefined;
}

const IOPRIO =
  '"idle", "best-effort:0" to "best-effort:7", which is the least, or "realtime:0" to "realtime:7"';
const NICE = "a whole number from -20 to 19";
const COUNT = "a whole number above 0";
const RESOURCES = 'an object of limits, as { "memory": "256MiB", "cpu": "10s", "files": 64 }';
const CORE = 'a size: "10MB" or a number of bytes, 0 for none';

const bytes = (text: string) => v.optional(size(Number.MAX_SAFE_INTEGER, text));
const count = (text: string) =>
  v.optional(described(v.pipe(v.number(COUNT), v.integer(COUNT), v.minValue(1, COUNT)), text));

/** The options of `exec` for it. */
export const LIMIT_ENTRIES = {
  nice: v.optional(described(
    v.pipe(v.number(NICE), v.integer(NICE), v.minValue(-20, NICE), v.maxValue(19, NICE)),
    "the priority of each program, 19 is the least; by nice(1)",
  )),
  ioprio: v.optional(described(
    v.pipe(v.string(IOPRIO), v.regex(/^(?:idle|(?:best-effort|realtime)(?::[0-7])?)$/, IOPRIO)),
    'the priority of its I/O, as "idle" or "best-effort:7"; by ionice(1)',
  )),
  resources: v.optional(described(
    v.strictObject({
      memory: bytes("address space, RLIMIT_AS"),
      data: bytes("memory that it writes to and shares with nobody, RLIMIT_DATA"),
      stack: bytes("its stack, RLIMIT_STACK"),
      cpu: v.optional(duration("CPU time in whole seconds, RLIMIT_CPU: then SIGXCPU, and SIGKILL")),
      files: count("descriptors that are open at once, RLIMIT_NOFILE"),
      processes: count(
        "processes and threads of its user, on the whole machine, RLIMIT_NPROC; root may have more",
      ),
      core: v.optional(described(
        v.union([
          v.literal(0),
          size(Number.MAX_SAFE_INTEGER),
        ], CORE),
        "size of a core dump, RLIMIT_CORE; 0 for none",
      )),
    }, RESOURCES),
    "what each program may use; by prlimit(1)",
  )),
};

/** What is started in the place of a program, so that it becomes the program. */
export interface Command {
  /** Absolute. */
  readonly path: string;
  readonly args: readonly string[];
}

/** By which flag prlimit(1) knows them. */
const FLAGS: Readonly<Record<Exclude<keyof ProgramResources, "cpu">, string>> = {
  memory: "as",
  data: "data",
  stack: "stack",
  files: "nofile",
  processes: "nproc",
  core: "core",
};

/** Where they are, whatever PATH says. */
const FOLDERS = "/usr/bin:/bin";

/**
 * The command for a program with limits.
 *
 * @throws PorticoError ENOENT where this machine has none of the programs that it takes, EPERM for a priority
 * that this user may not give.
 */
export function limited(
  command: Command,
  { nice, ioprio, resources = {} }: ProgramLimits,
): Command {
  const chain: string[] = [];
  const { cpu, ...rest } = resources;
  const flags = Object.entries(rest).filter(([, value]) => value !== undefined)
    .map(([name, value]) => `--${FLAGS[name as keyof typeof FLAGS]}=${value}`);
  if (cpu !== undefined) {
    const seconds = Math.ceil(cpu / 1000);
    flags.push(`--cpu=${seconds}:${seconds + 1}`);
  }
  if (nice !== undefined) {
    checkPriority(nice);
    // It adds to what this process has.
    chain.push(helper("nice", "coreutils"), "-n", String(nice - getPriority(0)));
  }
  if (ioprio !== undefined) {
    const [name, level] = ioprio.split(":");
    chain.push(helper("ionice", "util-linux"), "-c", String(CLASSES.indexOf(name!)));
    if (level !== undefined) chain.push("-n", level);
  }
  if (flags.length > 0) chain.push(helper("prlimit", "util-linux"), ...flags);
  const [path, ...args] = [...chain, command.path, ...command.args];
  return { path: path!, args };
}

const CLASSES: readonly string[] = ["none", "realtime", "best-effort", "idle"];

/** nice(1) runs a program all the same. */
function checkPriority(nice: number): void {
  if (nice >= getPriority(0) || process.geteuid?.() === 0) return;
  throw new PorticoError(
    "EPERM",
    `exec: nice ${nice}: only root can make a program more important than this server, which is at ${
      getPriority(0)
    }`,
  );
}

function helper(name: string, home: string): string {
  try {
    return findProgram(name, "/", `${process.env["PATH"] ?? ""}:${FOLDERS}`);
  } catch (cause) {
    const text = `exec: this takes ${name}(1) of ${home}, which this machine does not have`;
    throw new PorticoError("ENOENT", text, { cause });
  }
}
