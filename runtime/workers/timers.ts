import { clearTimeout, setTimeout } from "node:timers";

/** What is done in a while, unless it is all given up before. */
export class Timers {
  readonly #timers: Set<ReturnType<typeof setTimeout>> = new Set();

  later(pause: number, what: () => void): void {
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      what();
    }, pause);
    this.#timers.add(timer);
  }

  clear(): void {
    for (const timer of this.#timers) clearTimeout(timer);
    this.#timers.clear();
  }
}
