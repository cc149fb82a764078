/**
 * Memory after peers that did not read. What was written for them is garbage when they have gone, and
 * collectors come as something is allocated, which may be never: until then the hundreds of megabytes of a
 * crowd stay. When it is time, `reclaim.ts` has them collected; a server without such peers never loads it.
 */
import { setTimeout } from "node:timers";

/** Less than so many bytes are not worth it. */
const LEAST = 16 * 1024 * 1024;
/** A crowd is leaving when there is a part of that in so many ms; what it leaves is collected when it has gone. */
const DELAY = 1000;
const LEAVING = LEAST / 8;
/** How many times as long as it took nothing of it is done again. */
const REST = 20;

let dropped = 0;
/** What it was when it was looked at last. */
let seen = 0;
let timer: ReturnType<typeof setTimeout> | undefined = undefined;
/** Until then nothing is collected. */
let rest = 0;

/** So many bytes were to be sent to a peer that has gone. */
export function dropBytes(length: number): void {
  dropped += length;
  if (dropped < LEAST || timer !== undefined) return;
  timer = setTimeout(() => void look(), Math.max(DELAY, rest - performance.now())).unref();
}

async function look(): Promise<void> {
  const leaving = dropped - seen >= LEAVING;
  seen = dropped;
  const again = leaving || await collect();
  timer = undefined;
  if (again) dropBytes(0);
}

/** @returns whether something came of it. */
async function collect(): Promise<boolean> {
  const bytes = dropped;
  try {
    const { reclaim } = await import("./reclaim.ts");
    const spent = await reclaim(bytes);
    if (spent === undefined) return false;
    dropped -= bytes;
    seen = 0;
    rest = performance.now() + REST * spent;
    return true;
  } catch {
    // It cannot be had: memory comes back some time.
    return false;
  }
}
