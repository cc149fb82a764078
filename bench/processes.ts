/** The processes and the folder that a run makes, and their end: also on failure or Ctrl-C. */
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { environment } from "./runtimes.ts";

const children = new Set<ChildProcess>();
let made: string | undefined;

/** A folder for manifests and Unix sockets; its name is short, as socket paths have to be. */
export function folder(): string {
  return made ??= mkdtempSync(join(tmpdir(), "pb-"));
}

/** The cores that we may use, as the kernel writes them: `0-3,6`. */
function cores(): number[] {
  const status = readFileSync("/proc/self/status", "latin1");
  const ranges = /^Cpus_allowed_list:\s+(\S+)$/m.exec(status)?.[1]?.split(",") ?? [];
  return ranges.flatMap((range) => {
    const [first = 0, last = first] = range.split("-").map(Number);
    return Array.from({ length: last - first + 1 }, (_, index) => first + index);
  });
}

function pinning(): { server: string[]; load: string[] } | undefined {
  const [server, load] = cores();
  if (server === undefined || load === undefined) return undefined;
  try {
    execFileSync("taskset", ["-c", String(server), "true"], { stdio: "ignore" });
  } catch {
    return undefined;
  }
  return { server: ["taskset", "-c", String(server)], load: ["taskset", "-c", String(load)] };
}

const pins = pinning();

/** Whether the server and its client each have a core of their own. */
export const pinned = pins !== undefined;

/**
 * Starts a process on the server's core, the client's, or where the kernel likes. `taskset` becomes the
 * program: the pid is its.
 */
export function start(core: "server" | "load" | "any", command: readonly string[]): ChildProcess {
  const pin = core === "any" ? undefined : pins?.[core];
  const [program = "", ...rest] = [...(pin ?? []), ...command];
  const child = spawn(program, rest, { env: environment, stdio: ["pipe", "pipe", "pipe"] });
  children.add(child);
  child.once("exit", () => children.delete(child));
  child.stdin.on("error", () => {}); // It has gone: its exit is noticed elsewhere.
  return child;
}

/** Ends a process, and waits until it is gone. */
export async function stop(child: ChildProcess): Promise<void> {
  if (!children.has(child)) return;
  const { promise, resolve } = Promise.withResolvers<void>();
  child.once("exit", () => resolve());
  child.kill("SIGKILL");
  await promise;
}

/** Ends all that is left. */
export function clean(): void {
  for (const child of children) child.kill("SIGKILL");
  if (made !== undefined) rmSync(made, { recursive: true, force: true });
  made = undefined;
}

process.once("exit", clean);
for (const [signal, code] of [["SIGINT", 130], ["SIGTERM", 143], ["SIGHUP", 129]] as const) {
  process.once(signal, () => process.exit(code));
}
