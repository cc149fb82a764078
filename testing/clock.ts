import type { Clock, Timer } from "../runtime/core/clock.ts";
import { type Duration, milliseconds } from "../runtime/core/units.ts";
import type { Activity } from "./activity.ts";

interface Waiting {
  /** When it strikes, and after how long again: 0 for never. */
  at: number;
  readonly every: number;
  readonly callback: () => void;
}

/** The clock of a service under test: it stands still until the test moves it. */
export interface TestClock {
  /** Milliseconds that it was moved by so far. */
  readonly now: number;
  /**
   * Moves it on, as `"30s"` or milliseconds. What is due on the way strikes at its time, in order: deadlines
   * of sessions, rates, waiting for a turn, timeouts of reads. Resolves when what follows from it is done.
   */
  advance(by: Duration): Promise<void>;
}

/** Not 0: that is no time for some. */
const START = 1;

export class MovedClock implements Clock {
  readonly #activity: Activity;
  readonly #timers: Set<Waiting> = new Set();
  #now = START;
  /** The time of day when it began. */
  readonly #began: number = Date.now();

  constructor(activity: Activity) {
    this.#activity = activity;
  }

  now(): number {
    return this.#now;
  }

  wall(): number {
    return this.#began + this.#now;
  }

  setTimeout(callback: () => void, ms: number): Timer {
    return this.#add({ at: this.#now + Math.max(0, ms), every: 0, callback });
  }

  setInterval(callback: () => void, ms: number): Timer {
    return this.#add({ at: this.#now + ms, every: ms, callback });
  }

  clear(timer: Timer | undefined): void {
    this.#timers.delete(timer as unknown as Waiting);
  }

  #add(waiting: Waiting): Timer {
    this.#timers.add(waiting);
    return waiting as unknown as Timer;
  }

  /** As the test sees it. */
  get forTests(): TestClock {
    return new Moving(
      () => this.#now - START,
      (by) => this.#advance(milliseconds(by, "time that a clock is moved by")),
    );
  }

  async #advance(by: number): Promise<void> {
    if (by === Infinity) throw new RangeError("a clock cannot be moved on for ever");
    await this.#activity.rest();
    const end = this.#now + by;
    for (let next = this.#next(end); next !== undefined; next = this.#next(end)) {
      this.#now = Math.max(this.#now, next.at);
      if (next.every === 0) this.#timers.delete(next);
      else next.at += next.every;
      next.callback();
      await this.#activity.rest();
    }
    this.#now = end;
  }

  /** What is due first, up to then. */
  #next(end: number): Waiting | undefined {
    let first: Waiting | undefined;
    for (const waiting of this.#timers) {
      if (waiting.at <= end && (first === undefined || waiting.at < first.at)) first = waiting;
    }
    return first;
  }
}

class Moving implements TestClock {
  readonly #read: () => number;
  readonly #move: (by: Duration) => Promise<void>;

  constructor(read: () => number, move: (by: Duration) => Promise<void>) {
    this.#read = read;
    this.#move = move;
  }

  get now(): number {
    return this.#read();
  }

  async advance(by: Duration): Promise<void> {
    await this.#move(by);
  }
}
