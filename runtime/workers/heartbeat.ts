/** Sees that the event loops of workers turn. */
import { setInterval } from "node:timers";

/** The longest time between two pings, in ms. */
const PERIOD = 5000;

/** One worker that is asked again and again whether its event loop turns. */
export class Heartbeat {
  /** It has left a ping unanswered for a while: others come first. */
  slow = false;
  /** When the ping was sent that was not answered. */
  #asked: number | undefined = undefined;
  /** How long the last answer took, in ms. */
  #took = 0;
  readonly #ping: () => void;

  /** @param ping asks it. */
  constructor(ping: () => void) {
    this.#ping = ping;
  }

  /** Asks, unless an answer is due. @returns false when it has been due for `limit` ms. */
  ask(limit: number): boolean {
    const now = performance.now();
    if (this.#asked === undefined) {
      this.#asked = now;
      this.#ping();
      return true;
    }
    this.slow = true;
    return now - this.#asked < limit;
  }

  /** The answer has come. */
  answered(): void {
    if (this.#asked !== undefined) this.#took = performance.now() - this.#asked;
    this.#asked = undefined;
    this.slow = false;
  }

  /** How late its event loop is, as far as answers tell. Asks again. */
  delay(): number {
    const waited = this.#asked === undefined ? 0 : performance.now() - this.#asked;
    if (this.#asked === undefined) {
      this.#asked = performance.now();
      this.#ping();
    }
    return Math.max(this.#took, waited);
  }

  /** The time that we were stopped ourselves is not its fault. */
  excuse(): void {
    if (this.#asked !== undefined) this.#asked = performance.now();
  }
}

/** What {@link watchHeartbeats} needs of a worker. */
export interface Watched {
  readonly state: string;
  readonly heartbeat: Heartbeat;
  kill(why: string): void;
}

/** How late the event loop is of the worker that is least so, in ms. */
export function leastDelay(workers: ReadonlySet<Watched>): number {
  const ready = [...workers].filter(({ state }) => state === "ready");
  return ready.length === 0 ? 0 : Math.min(...ready.map(({ heartbeat }) => heartbeat.delay()));
}

/**
 * Asks workers again and again; one that does not answer for `stall` ms is killed.
 *
 * @returns a function that ends it.
 */
export function watchHeartbeats(workers: ReadonlySet<Watched>, stall: number): () => void {
  if (stall === Infinity) return () => {};
  const period = Math.min(stall / 4, PERIOD);
  let last = performance.now();
  const timer = setInterval(() => {
    const now = performance.now();
    // Whoever was stopped or busy itself has not read the answers yet.
    const late = now - last > 2 * period;
    last = now;
    for (const worker of workers) {
      if (late) worker.heartbeat.excuse();
      if (worker.state === "ready" && !worker.heartbeat.ask(stall)) worker.kill("stalled");
    }
  }, period);
  return () => clearInterval(timer);
}
