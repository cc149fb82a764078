/**
 * How much a socket takes with one call, and for how long it looks again where nothing was left.
 *
 * Who takes all that is there before the first answer leaves works by turns with peers that wait for
 * answers: each sleeps while the other works, and a wake-up costs more than a message. A call that
 * takes less than is under way keeps both at work. So do a few looks for more before the event loop
 * is asked to wait, for about as long as a wake-up takes, where looks have found something lately.
 */

import { BATCH } from "./receive-batch.ts";

/** Datagrams to take with one call, at least. When fewer come, there were no more. */
const SIZE_MIN = 4;
/** Milliseconds of looking that may be in vain; datagrams that come together share it, as they do a wake-up. */
const PATIENCE = 0.015;
/** Bursts without looking, at most, where it has been in vain again and again. */
const REST_MAX = 127;

/** Of one socket. A burst is what it receives until it stops looking. */
export class ReceivePace {
  /** Datagrams to ask for. */
  size: number = BATCH;
  /** While it looks: until when, of performance.now(). */
  #until = 0;
  /** Whether this burst looks again, and has found something so. */
  #tries = false;
  #worth = false;
  /** Bursts that do not: still to come, and how many the last time. */
  #rest = 0;
  #resting = 0;

  begin(): void {
    this.#worth = false;
    this.#until = 0;
    this.#tries = this.#rest === 0;
    if (!this.#tries) this.#rest--;
  }

  /** There are no more after a batch of `last`: whether to look again. */
  again(last: number): boolean {
    if (!this.#tries) return false;
    const now = performance.now();
    if (this.#until === 0) this.#until = now + PATIENCE / last;
    return now < this.#until;
  }

  /** Something came. */
  found(): void {
    if (this.#until === 0) return;
    this.#until = 0;
    this.#worth = true;
  }

  /** The burst is over: nothing is left. */
  end(): void {
    this.size = Math.max(SIZE_MIN, this.size >> 1);
    if (!this.#tries) return;
    this.#resting = this.#worth ? this.#resting >> 1 : Math.min(REST_MAX, this.#resting * 2 + 1);
    this.#rest = this.#resting;
  }

  /** The burst is cut: there is more, and fewer calls take it sooner. */
  cut(): void {
    this.size = Math.min(BATCH, this.size * 2);
  }
}
