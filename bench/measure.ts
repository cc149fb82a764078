/** What a process has used, from /proc. */
import { readdirSync, readFileSync } from "node:fs";

/** Nanoseconds of a clock tick in /proc/PID/stat: USER_HZ is 100 wherever Linux shows it. */
const TICK = 10_000_000;

/**
 * CPU time of all threads of a process in nanoseconds. `schedstat` is exact for a thread that is not
 * running just now: take it while the process has nothing to do. Without it (a kernel built so), the
 * clock ticks have to do.
 */
export function cpu(pid: number): number {
  try {
    let sum = 0;
    for (const thread of readdirSync(`/proc/${pid}/task`)) {
      sum += Number(readFileSync(`/proc/${pid}/task/${thread}/schedstat`, "latin1").split(" ")[0]);
    }
    if (sum > 0) return sum;
  } catch {
    // Below.
  }
  // The name, in parentheses, may hold blanks.
  const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return (Number(fields[11]) + Number(fields[12])) * TICK;
}

/** Resident memory in bytes. */
export function resident(pid: number): number {
  const line = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "latin1"));
  return Number(line?.[1]) * 1024;
}
