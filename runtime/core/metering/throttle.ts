import type { Clock, Timer } from "../clock.ts";

/** How often those that wait are looked after, in ms. */
const TICK = 20;

/** What waits for its rate. */
export interface Throttled {
  /** Lets go what may go by now. @returns whether it goes on waiting. */
  release(now: number): boolean;
}

/** One timer for all that waits for its rate in one service, armed while something does. */
export class Throttle {
  readonly clock: Clock;
  readonly #waiting: Set<Throttled> = new Set();
  #timer: Timer | undefined = undefined;

  constructor(clock: Clock) {
    this.clock = clock;
  }

  add(waiting: Throttled): void {
    this.#waiting.add(waiting);
    this.#timer ??= this.clock.setInterval(() => this.#look(), TICK);
  }

  remove(waiting: Throttled): void {
    this.#waiting.delete(waiting);
    if (this.#waiting.size > 0) return;
    this.clock.clear(this.#timer);
    this.#timer = undefined;
  }

  #look(): void {
    const now = this.clock.now();
    for (const each of this.#waiting) if (!each.release(now)) this.remove(each);
  }
}
