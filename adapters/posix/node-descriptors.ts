/**
 * Descriptors that end with a thread of Node. It closes what `fs.open` opened when a worker ends, and
 * nothing else. So a socket takes the number of a file that was opened that way.
 */
import { closeSync, openSync } from "node:fs";
import { isMainThread } from "node:worker_threads";
import { EINTR, SOCK_CLOEXEC } from "./linux.ts";
import type { Calls, Ffi } from "./syscalls.ts";

/** @param errno the thread's, after a call that has failed. */
export function tyingToThread(
  { close, dup3 }: Pick<Calls, "close" | "dup3">,
  errno: () => number,
): Required<Pick<Ffi, "close" | "tieToThread">> {
  const tied = new Set<number>();
  return {
    tieToThread(fd) {
      if (isMainThread) return fd;
      const target = openSync("/dev/null", "r");
      const made = dup3(fd, target, SOCK_CLOEXEC);
      const code = made < 0 ? -errno() : made;
      close(fd);
      if (code < 0) closeSync(target);
      else tied.add(code);
      return code;
    },
    close(fd) {
      // Node warns of what it closes and never opened.
      if (!tied.delete(fd)) return close(fd) < 0 ? -errno() : 0;
      try {
        closeSync(fd);
        return 0;
      } catch (error) {
        return (error as { errno?: number }).errno ?? -EINTR;
      }
    },
  };
}
