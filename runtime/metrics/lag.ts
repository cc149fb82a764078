import { clearInterval, setInterval } from "node:timers";

/** Milliseconds between two looks. */
const PERIOD = 100;

/**
 * How much later than it should a timer comes: what the event loop keeps others waiting. There is no
 * monitorEventLoopDelay on every runtime. It keeps no process alive.
 */
export class Lag {
  /** In seconds. */
  readonly bounds: readonly number[] = [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5];
  /** By bound, and one above them all; not cumulative. */
  readonly buckets: number[] = new Array(this.bounds.length + 1).fill(0);
  /** In seconds. */
  sum = 0;
  readonly #timer: ReturnType<typeof setInterval>;

  constructor() {
    let due = performance.now() + PERIOD;
    this.#timer = setInterval(() => {
      const now = performance.now();
      this.#note(Math.max(0, now - due) / 1000);
      due = now + PERIOD;
    }, PERIOD);
    this.#timer.unref();
  }

  #note(seconds: number): void {
    let bucket = 0;
    while (bucket < this.bounds.length && seconds > this.bounds[bucket]!) bucket++;
    this.buckets[bucket]!++;
    this.sum += seconds;
  }

  close(): void {
    clearInterval(this.#timer);
  }
}
