/** How many descriptors a process may have. */
import process from "node:process";

/** Descriptors that are left when a worker takes what was passed to it, which frees one elsewhere. */
const LAST = 8;
/** With a limit that leaves no room for these no runtime starts: it is not looked up for them. */
const FIRST = 32;

let most: number | undefined;

/** Whether a descriptor of this number may be used for one session more. */
export function leavesRoom(fd: number): boolean {
  return fd < FIRST || fd < (most ??= openFilesLimit()) - LAST;
}

/** The soft limit of open files, RLIMIT_NOFILE; infinite where it cannot be read: nothing is done then. */
export function openFilesLimit(): number {
  try {
    // It costs Deno 12 ms to import it, which a worker of one session does not have.
    const { readFileSync } = process.getBuiltinModule("node:fs");
    const found = /^Max open files +(\d+)/m.exec(readFileSync("/proc/self/limits", "utf8"));
    return found === null ? Infinity : Number(found[1]);
  } catch {
    return Infinity;
  }
}
