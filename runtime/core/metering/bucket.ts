import type { RateLimit } from "../plan.ts";

/** Seconds' share of a rate that may go at once where no burst is said: over 10 s it is 1 %. */
const AT_ONCE = 10;
/** What is let go at once is at least so many bytes, where there is as much: each time is a system call. */
const PORTION = 64 * 1024;

/**
 * How many bytes may go through one way of a session: a token bucket. While somebody waits for it it is
 * never full: what a late timer has kept back is let go with the next one, so that the rate is exact.
 */
export class ByteBucket {
  /** Who waits is not woken for less. */
  readonly portion: number;
  readonly #perMs: number;
  readonly #burst: number;
  #level: number;
  #filled: number;

  constructor({ count, per, burst }: RateLimit, now: number) {
    this.#perMs = count / per;
    const second = this.#perMs * 1000;
    this.#burst = burst ?? Math.max(1, second / AT_ONCE);
    this.portion = Math.max(1, Math.min(PORTION, Math.floor(second / AT_ONCE)));
    this.#level = this.#burst;
    this.#filled = now;
  }

  /** @param waited somebody has waited since the last call. */
  room(now: number, waited: boolean): number {
    this.#level += (now - this.#filled) * this.#perMs;
    this.#filled = now;
    if (!waited && this.#level > this.#burst) this.#level = this.#burst;
    // Shares of a byte add up to a little less than one.
    return Math.max(0, Math.floor(this.#level + 1e-6));
  }

  take(bytes: number): void {
    this.#level -= bytes;
  }
}
