import type { Limits } from "../plan.ts";

/** A token bucket: `count` at once, refilled over `per` ms. */
export class Rate {
  #tokens = Infinity;
  #filled = 0;

  /** Whether one more may come at `now`, in ms; {@link take} takes its token. */
  allows({ count, per }: Limits["rate"], now: number): boolean {
    this.#tokens = Math.min(count, this.#tokens + (now - this.#filled) * count / per);
    this.#filled = now;
    return this.#tokens >= 1;
  }

  take(): void {
    this.#tokens--;
  }
}
