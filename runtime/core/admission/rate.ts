import { sourceOf } from "../access/source.ts";
import type { Clock } from "../clock.ts";
import type { RateLimit } from "../plan.ts";
import type { Candidate } from "./candidate.ts";
import type { Policy } from "./policy.ts";

/** A token bucket of `burst` tokens, refilled by `count` over `per` ms. */
export class Rate {
  #tokens = Infinity;
  #filled = 0;

  /** Whether one more may come at `now`, in ms; {@link take} takes its token. */
  allows({ count, per, burst = count }: RateLimit, now: number): boolean {
    this.#tokens = Math.min(burst, this.#tokens + (now - this.#filled) * count / per);
    this.#filled = now;
    // Shares of a token add up to a little less than one.
    return this.#tokens >= 1 - 1e-9;
  }

  /** Milliseconds until the next may come, as of the last look. */
  due({ count, per }: RateLimit): number {
    return Math.max(0, 1 - this.#tokens) * per / count;
  }

  take(): void {
    this.#tokens--;
  }

  /** How many tokens it has at `now`. */
  left({ count, per, burst = count }: RateLimit, now: number): number {
    return Math.min(burst, this.#tokens + (now - this.#filled) * count / per);
  }
}

/** Sources of one generation. */
const SOURCES = 4096;

/**
 * A bucket for each source, in bounded memory: twice {@link SOURCES} are remembered. When the younger half
 * is full, those are forgotten that have not come since it began to fill, and their buckets are full again
 * when they come back: under an attack from many addresses, that is who has been silent longest.
 */
export class SourceRates {
  #young = new Map<string, Rate>();
  #old = new Map<string, Rate>();

  /** The rate by source that forbids one more; who has no address cannot be forged. It takes its token. */
  forbids(
    candidate: Candidate,
    { ratePerSource, datagramRate, source: prefixes }: Policy["limits"],
    clock: Clock,
  ): "ratePerSource" | "datagramRate" | undefined {
    const own = candidate.kind === "datagram" ? datagramRate : undefined;
    const rate = own ?? ratePerSource;
    if (rate === undefined || rate.count === Infinity) return undefined;
    const source = sourceOf(candidate.remote, prefixes);
    if (source === "" || this.admits(source, rate, clock.now())) return undefined;
    return own === undefined ? "ratePerSource" : "datagramRate";
  }

  /** Whether one more may come from `source` at `now`, in ms; it has its token then. */
  admits(source: string, rate: RateLimit, now: number): boolean {
    const own = this.#young.get(source) ?? this.#renew(source);
    if (!own.allows(rate, now)) return false;
    own.take();
    return true;
  }

  /** How many tokens one has at `now`. */
  left(source: string, rate: RateLimit, now: number): number {
    const own = this.#young.get(source) ?? this.#old.get(source);
    return own === undefined ? rate.burst ?? rate.count : own.left(rate, now);
  }

  #renew(source: string): Rate {
    const own = this.#old.get(source) ?? new Rate();
    if (this.#young.size >= SOURCES) {
      this.#old = this.#young;
      this.#young = new Map();
    }
    this.#young.set(source, own);
    return own;
  }
}
