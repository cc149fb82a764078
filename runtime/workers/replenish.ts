/** When the next workers of a pool are started whose workers serve one session each. */
import { clearImmediate, clearTimeout, setImmediate, setTimeout } from "node:timers";

/**
 * Milliseconds that a session has for itself before a spare worker takes the place of its own, while another
 * spare is ready: to start a process takes the time of many short sessions.
 */
const HEADWAY = 10;

export class Replenishment {
  readonly #fill: () => void;
  #next: ReturnType<typeof setImmediate> | undefined = undefined;
  #later: ReturnType<typeof setTimeout> | undefined = undefined;

  /** @param fill starts what is wanted. */
  constructor(fill: () => void) {
    this.#fill = fill;
  }

  /** In a turn of its own: what was just said to workers leaves first. */
  now(): void {
    clearTimeout(this.#later);
    this.#later = undefined;
    this.#next ??= setImmediate(() => {
      this.#next = undefined;
      this.#fill();
    });
  }

  /** In a while. */
  later(): void {
    if (this.#next === undefined) this.#later ??= setTimeout(() => this.now(), HEADWAY);
  }

  stop(): void {
    clearTimeout(this.#later);
    if (this.#next !== undefined) clearImmediate(this.#next);
    this.#later = this.#next = undefined;
  }
}
