/** How a program is started: another module, on this runtime or on another one. */
import { existsSync, readFileSync } from "node:fs";
import { delimiter, dirname, join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { PorticoError } from "../runtime/core/errors.ts";

/** The runtimes by name. */
export type RuntimeName = "node" | "bun" | "deno";

/** A program and its arguments. */
export type CommandLine = readonly [program: string, ...args: string[]];

/** Flags of a test, a debugger or a watcher, which are this process's alone. */
const OWN = /^--(?:test|inspect|watch|cpu-prof|heap-prof)/;

/** Of an executable with a server inside, the executable stands for its modules: it knows what it is started for. */
const EXECUTABLE = process.execPath;

/** The command that runs `module`, an absolute path, on this runtime with the same flags. */
export function command(module: string, args: readonly string[]): CommandLine {
  if (module === EXECUTABLE) return [EXECUTABLE, ...args];
  if ("Deno" in globalThis) return [Deno.execPath(), ...denoFlags(), module, ...args];
  return [process.execPath, ...process.execArgv.filter((flag) => !OWN.test(flag)), module, ...args];
}

/**
 * The same on a runtime that is asked for by name: the one in `node_modules/.bin` beside this package,
 * else the one on the PATH.
 *
 * @throws PorticoError NOT_SUPPORTED when it is in neither.
 */
export function commandOn(
  runtime: RuntimeName,
  module: string,
  args: readonly string[],
): CommandLine {
  if (module === EXECUTABLE) {
    throw new PorticoError("NOT_SUPPORTED", "an executable runs on the runtime that is in it");
  }
  const program = find(runtime);
  if (runtime !== "deno") return [program, module, ...args];
  const bare = modulesOf(module) === undefined ? ["--node-modules-dir=none"] : [];
  return [program, "run", "-A", ...UNSTABLE, ...bare, module, ...args];
}

/** Options of sockets; and a request's signal that aborts when its peer leaves, and not whenever it is over. */
export const UNSTABLE: readonly string[] = ["--unstable-net", "--unstable-no-legacy-abort"];

export function find(runtime: RuntimeName): string {
  const places = ancestors(fileURLToPath(import.meta.url)).map((folder) =>
    join(folder, "node_modules", ".bin")
  );
  const path = process.env["PATH"] ?? "";
  for (const folder of [...places, ...path.split(delimiter)]) {
    if (folder !== "" && existsSync(join(folder, runtime))) return join(folder, runtime);
  }
  const text = `there is no ${runtime}: looked for it in node_modules/.bin and on the PATH`;
  throw new PorticoError("NOT_SUPPORTED", text);
}

/** The folders above a file, the nearest first. */
function ancestors(file: string): string[] {
  const folders: string[] = [];
  for (let at = dirname(file);; at = dirname(at)) {
    folders.push(at);
    if (at === dirname(at)) return folders;
  }
}

function modulesOf(file: string): string | undefined {
  return ancestors(file).find((folder) => existsSync(join(folder, "node_modules")));
}

/** `run` and what followed it when this process was started; Deno itself does not tell. */
function denoFlags(): readonly string[] {
  try {
    const line = readFileSync("/proc/self/cmdline", "utf8").split("\0").slice(1, -1);
    // Behind the module there are its arguments, and nothing else.
    const flags = line.slice(1, line.length - 1 - Deno.args.length);
    if (line[0] === "run") return ["run", ...flags.filter((flag) => !OWN.test(flag))];
  } catch {
    // Not Linux, or /proc is not for us to read.
  }
  return ["run", ...granted(), ...UNSTABLE];
}

const PERMISSIONS = ["net", "read", "write", "env", "run", "ffi", "sys", "import"] as const;

/** The permissions of this process, as flags. What is granted for some names only cannot be asked for. */
function granted(): readonly string[] {
  const names = PERMISSIONS.filter((name) =>
    Deno.permissions.querySync({ name } as Deno.PermissionDescriptor).state === "granted"
  );
  if (names.length === PERMISSIONS.length) return ["-A"];
  return ["--no-prompt", ...names.map((name) => `--allow-${name}`)];
}
