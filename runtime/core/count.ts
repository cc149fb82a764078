import { type Clock, SYSTEM_CLOCK } from "./clock.ts";

/** Counts what is live, and tells when nothing is. */
export class Count {
  readonly #clock: Clock;
  #value = 0;
  #waiting: ((empty: boolean) => void)[] = [];

  constructor(clock: Clock = SYSTEM_CLOCK) {
    this.#clock = clock;
  }

  get value(): number {
    return this.#value;
  }

  up(): void {
    this.#value++;
  }

  down(): void {
    if (--this.#value === 0) this.#answer(true);
  }

  /** Whoever waits for it to be empty need not wait any more. */
  recall(): void {
    this.#answer(false);
  }

  /**
   * Resolves with true when the count is 0, with false when it is not after `limit` ms. Who comes
   * later with less patience decides for those who wait already.
   */
  empty(limit: number): Promise<boolean> {
    if (this.#value === 0) return Promise.resolve(true);
    return new Promise((resolve) => {
      const late = (): void => this.#answer(false);
      const timer = limit === Infinity ? undefined : this.#clock.setTimeout(late, limit);
      this.#waiting.push((empty) => {
        this.#clock.clear(timer);
        resolve(empty);
      });
    });
  }

  #answer(empty: boolean): void {
    if (this.#waiting.length === 0) return;
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const answer of waiting) answer(empty);
  }
}
