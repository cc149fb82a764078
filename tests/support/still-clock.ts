/** A clock that stands still until a test moves it. */
import type { Clock, Timer } from "../../runtime/core/clock.ts";

interface Due {
  at: number;
  readonly every: number;
  readonly callback: () => void;
}

export class StillClock implements Clock {
  #now = 1000;
  readonly #timers: Set<Due> = new Set();

  now(): number {
    return this.#now;
  }

  wall(): number {
    return Date.UTC(2026, 10, 28) + this.#now;
  }

  /** Timers that are set. */
  get timers(): number {
    return this.#timers.size;
  }

  setTimeout(callback: () => void, ms: number): Timer {
    return this.#add({ at: this.#now + ms, every: 0, callback });
  }

  setInterval(callback: () => void, ms: number): Timer {
    return this.#add({ at: this.#now + ms, every: ms, callback });
  }

  clear(timer: Timer | undefined): void {
    this.#timers.delete(timer as unknown as Due);
  }

  #add(due: Due): Timer {
    this.#timers.add(due);
    return due as unknown as Timer;
  }

  /** What is due on the way is called at its time; with `late`, that much later. */
  move(ms: number, late = 0): void {
    const end = this.#now + ms;
    for (;;) {
      const [first] = [...this.#timers].filter(({ at }) => at + late <= end)
        .toSorted((a, b) => a.at - b.at);
      if (first === undefined) break;
      this.#now = Math.max(this.#now, first.at + late);
      if (first.every === 0) this.#timers.delete(first);
      else first.at += first.every;
      first.callback();
    }
    this.#now = end;
  }
}
