/** Connections of one service whose first bytes, a PROXY header or what tells them apart, are waited for. */
import type { Clock, Timer } from "../core/clock.ts";

/** Whoever comes beyond is refused. */
const MOST = 4096;

export class HeaderWait<One extends { readonly since: number }> {
  readonly #clock: Clock;
  readonly #wait: number;
  readonly #late: (one: One) => void;
  /** In the order of arrival, so that the first is due first. */
  readonly #waiting: Set<One> = new Set();
  #timer: Timer | undefined = undefined;

  /** @param late is told of each that has waited for `wait` ms, and takes it out. */
  constructor(clock: Clock, wait: number, late: (one: One) => void) {
    this.#clock = clock;
    this.#wait = wait;
    this.#late = late;
  }

  get full(): boolean {
    return this.#waiting.size >= MOST;
  }

  add(one: One): void {
    this.#waiting.add(one);
    this.#arm();
  }

  delete(one: One): void {
    this.#waiting.delete(one);
  }

  /** Ends the wait of all; `left` takes each out. */
  close(left: (one: One) => void): void {
    for (const one of this.#waiting) left(one);
    this.#clock.clear(this.#timer);
    this.#timer = undefined;
  }

  #arm(): void {
    if (this.#timer !== undefined) return;
    const [first] = this.#waiting;
    if (first === undefined) return;
    const due = first.since + this.#wait - this.#clock.now();
    this.#timer = this.#clock.setTimeout(() => {
      this.#timer = undefined;
      this.#strike();
      this.#arm();
    }, Math.max(1, due));
  }

  #strike(): void {
    const now = this.#clock.now();
    for (const one of this.#waiting) {
      if (one.since + this.#wait > now) return;
      this.#late(one);
    }
  }
}
