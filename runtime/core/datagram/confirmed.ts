import type { Address } from "../endpoint.ts";
import type { Clock } from "../clock.ts";

/** Addresses of one generation. */
const MOST = 4096;
/** How long one of these is the young one, in ms. */
const AGE = 300_000;

/**
 * Addresses, each with its port, that have shown that they are there. 4,096 to 8,192 are remembered, for 5
 * to 10 minutes after they were seen last; those are forgotten first that have been silent longest.
 */
export class Confirmed {
  readonly #clock: Clock;
  #young: Set<string> = new Set();
  #old: Set<string> = new Set();
  #since: number;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#since = clock.now();
  }

  add({ host, port }: Address): void {
    const now = this.#clock.now();
    if (this.#young.size >= MOST || now - this.#since >= AGE) {
      // Nobody has been seen for so long.
      this.#old = now - this.#since >= 2 * AGE ? new Set() : this.#young;
      this.#young = new Set();
      this.#since = now;
    }
    this.#young.add(`${host} ${port}`);
  }

  has(address: Address): boolean {
    const key = `${address.host} ${address.port}`;
    const age = this.#clock.now() - this.#since;
    if (this.#young.has(key)) {
      if (age < AGE) return true;
      if (age >= 2 * AGE) return false;
    } else if (age >= AGE || !this.#old.has(key)) return false;
    this.add(address);
    return true;
  }
}
