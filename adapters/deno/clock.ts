/**
 * The time. A server of HTTP looks at it twice for each request, which takes Deno's `performance.now()` two to
 * three times as long as the kernel, asked through FFI: some 4 % of a request.
 */
import type { Libc } from "../posix/libc.ts";

let ask = (): number => performance.now();
let known = false;

/** What `performance.now()` says. */
export const now = (): number => ask();

/** Has the kernel asked from now on. */
export function askKernel({ monotonic }: Pick<Libc, "monotonic">): void {
  if (known || monotonic === undefined) return;
  known = true;
  // Never less than it is, so that the time does not go back; the least is the one that nothing came between.
  const ahead = Math.min(...Array.from({ length: 8 }, () => {
    const kernel = monotonic();
    return performance.now() - kernel;
  }));
  ask = () => monotonic() + ahead;
}
