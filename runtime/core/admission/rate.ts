import type { Limits } from "../plan.ts";

/** A token bucket: `count` at once, refilled over `per` ms. */
export class Rate {
  #tokens = Infinity;
  #filled = 0;

  /** Whether one more may come at `now`, in ms; {@link take} takes its token. */
  allows({ count, per }: Limits["rate"], now: number): boolean {
    this.#tokens = Math.min(count, this.#tokens + (now - this.#filled) * count / per);
    this.#filled = now;
    return this.#tokens >= 1;
  }

  take(): void {
    this.#tokens--;
  }
}

/** Addresses that are remembered; when they are more, all begin anew. */
const SOURCES = 4096;

/** A bucket for each address. */
export class SourceRates {
  readonly #rates = new Map<string, Rate>();

  /** Whether one more may come from `host` at `now`, in ms; it has its token then. */
  admits(host: string, rate: Limits["rate"], now: number): boolean {
    let own = this.#rates.get(host);
    if (own === undefined) {
      if (this.#rates.size >= SOURCES) this.#rates.clear();
      this.#rates.set(host, own = new Rate());
    }
    if (!own.allows(rate, now)) return false;
    own.take();
    return true;
  }
}
