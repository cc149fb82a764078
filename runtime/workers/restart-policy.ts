/** Deaths in a row within a minute, after which no other worker is started. */
const MOST = 10;
const WINDOW = 60_000;
/** The pause before a worker is replaced, in ms: at first, doubled with each further death in a row, at most. */
const PAUSE_FIRST = 50;
const PAUSE_LAST = 5000;

/** Counts the deaths of workers that have come to nothing. */
export class RestartPolicy {
  readonly #most: number;
  #deaths: number[] = [];

  /** @param workers of which all may be killed at once, without that being a row. */
  constructor(workers: number) {
    this.#most = Math.max(MOST, 2 * workers);
  }

  /** Why there shall be none any more, for people. */
  get reason(): string {
    return `${this.#most} workers in a row died within a minute`;
  }

  /** One more. @returns the pause before the replacement in ms, undefined when there shall be none. */
  next(now: number): number | undefined {
    this.#deaths = this.#deaths.filter((time) => now - time < WINDOW);
    this.#deaths.push(now);
    const count = this.#deaths.length;
    if (count >= this.#most) return undefined;
    return Math.min(PAUSE_FIRST * 2 ** (count - 1), PAUSE_LAST);
  }

  /** A worker was good for something. */
  clear(): void {
    this.#deaths = [];
  }
}
