/**
 * Ends a worker whose event loop does not turn any more. That is its supervisor's task; but one that
 * was killed does nothing, and a worker in an endless loop would not even notice.
 */
import { clearInterval, setInterval } from "node:timers";

/** The longest time between two looks, in ms. */
const PERIOD = 5000;
/** The supervisor comes first: by a factor, and by so many seconds. */
const SLACK = 2;
const MORE = 2;

export class CpuLimit {
  readonly #limitCpu: (seconds: number) => void;
  #timer: ReturnType<typeof setInterval> | undefined = undefined;

  /** @param limitCpu see {@link ProcessCalls.limitCpu}. */
  constructor(limitCpu: (seconds: number) => void) {
    this.#limitCpu = limitCpu;
  }

  /** From now on the loop may take up to `limit` ms for one turn, or as long as it likes: `Infinity`. */
  set(limit: number): void {
    clearInterval(this.#timer);
    if (limit === Infinity) return this.#limitCpu(0);
    // All threads of the process count, of which more than one may be busy.
    const seconds = Math.ceil(limit * SLACK * navigator.hardwareConcurrency / 1000) + MORE;
    this.#limitCpu(seconds);
    this.#timer = setInterval(() => this.#limitCpu(seconds), Math.min(limit / 4, PERIOD));
  }
}
