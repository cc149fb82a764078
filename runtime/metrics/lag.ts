import { clearTimeout, setTimeout } from "node:timers";
import { countDelay, type Delays } from "../core/statistics.ts";

/** Milliseconds between two looks. */
const PERIOD = 100;

/**
 * Measures how much later than it should a timer comes: there is no monitorEventLoopDelay on every
 * runtime. It keeps no process alive.
 */
export class Lag {
  readonly #delays: Delays;
  readonly #goesOn: () => boolean;
  #timer: ReturnType<typeof setTimeout> | undefined = undefined;
  #due = 0;

  /**
   * @param delays it counts into.
   * @param goesOn asked at each look, when that is counted: false until the next {@link start}.
   */
  constructor(delays: Delays, goesOn: () => boolean = () => true) {
    this.#delays = delays;
    this.#goesOn = goesOn;
  }

  /** Looks from now on; no more often when it does so already. */
  start(): void {
    if (this.#timer === undefined) this.#next();
  }

  #next(): void {
    this.#due = performance.now() + PERIOD;
    this.#timer = setTimeout(this.#look, PERIOD);
    this.#timer.unref();
  }

  readonly #look = (): void => {
    this.#timer = undefined;
    countDelay(this.#delays, Math.max(0, performance.now() - this.#due) / 1000);
    if (this.#goesOn()) this.#next();
  };

  close(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }
}
