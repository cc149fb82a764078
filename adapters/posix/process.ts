/** {@link ProcessCalls} over libc. */
import { readdirSync } from "node:fs";
import type { LimitedResource, ProcessCalls } from "../../runtime/core/process.ts";
import { callFailure } from "../errno.ts";
import type { Libc } from "./libc.ts";
import { ESRCH, RLIMITS } from "./linux.ts";

export function makeProcessCalls(libc: Libc): ProcessCalls {
  return {
    setGroups(groups) {
      // Memory that may not move.
      const list = new Uint32Array(new ArrayBuffer(4 * groups.length));
      list.set(groups);
      const code = libc.setgroups(list);
      if (code < 0) throw callFailure(`setgroups(${groups.join(", ")})`, -code);
    },
    reap: (pid) => libc.reap(pid) === pid,
    limitCpu(seconds) {
      // struct itimerval: it_interval, then it_value, in seconds and microseconds each.
      const code = libc.setitimer(BigInt64Array.of(0n, 0n, BigInt(seconds), 0n));
      if (code < 0) throw callFailure(`no limit of ${seconds} s of CPU time can be set`, -code);
    },
    limit(resource: LimitedResource, soft, hard) {
      const limits = new BigUint64Array(new ArrayBuffer(16));
      limits.set([BigInt(soft), BigInt(hard)]);
      const code = libc.setrlimit(RLIMITS[resource], limits);
      if (code < 0) throw callFailure(`no limit of ${soft} for ${resource} can be set`, -code);
    },
    prioritizeIo(priority) {
      // The kernel schedules threads, and those of a runtime that read and write files are there already.
      for (const thread of threads()) {
        const code = libc.ioprioSet(thread, priority);
        if (code < 0 && code !== -ESRCH) throw callFailure("no priority of I/O can be set", -code);
      }
    },
  };
}

/** This one alone, as 0, where /proc cannot be read. */
function threads(): readonly number[] {
  try {
    return readdirSync("/proc/self/task").map(Number);
  } catch {
    return [0];
  }
}
