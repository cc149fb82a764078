/** {@link ProcessCalls} over libc. */
import type { ProcessCalls } from "../../runtime/core/process.ts";
import { callFailure } from "../errno.ts";
import type { Libc } from "./libc.ts";

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
  };
}
