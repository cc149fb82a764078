import { type Clock, SYSTEM_CLOCK } from "./clock.ts";

/** How often one warning may come, in ms. */
const PERIOD = 1000;

/** Warnings of which a stranger could make any number: one each second is told, the others are counted. */
export class Warnings {
  readonly #clock: Clock;
  readonly #last: Map<string, { time: number; suppressed: number }> = new Map();

  constructor(clock: Clock = SYSTEM_CLOCK) {
    this.#clock = clock;
  }

  /** How many of this kind were suppressed since the last one; undefined when this one is, too. */
  pass(kind: string): number | undefined {
    const now = this.#clock.now();
    const last = this.#last.get(kind);
    if (last !== undefined && now - last.time < PERIOD) {
      last.suppressed++;
      return undefined;
    }
    this.#last.set(kind, { time: now, suppressed: 0 });
    return last?.suppressed ?? 0;
  }
}
