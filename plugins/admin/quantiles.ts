/** Quantiles of the last minute, of counts that only grow. */

/** In milliseconds. */
export interface Quantiles {
  readonly p50: number;
  readonly p99: number;
}

/** Half of what is looked at, at most, in ms: who asks is told of the last 30 to 60 seconds. */
const HALF = 30_000;

/** A histogram whose counts grow, and what they were half a minute and a minute ago. */
export class RecentQuantiles {
  readonly #bounds: readonly number[];
  #older: readonly number[] = [];
  #newer: readonly number[] = [];
  #latest: readonly number[] = [];
  #turned = -Infinity;

  /** @param bounds the upper bounds of the buckets, in seconds; the last bucket has none. */
  constructor(bounds: readonly number[]) {
    this.#bounds = bounds;
  }

  /** @param counts by bucket, not cumulative. @param now in ms. */
  note(counts: readonly number[], now: number): void {
    this.#latest = [...counts];
    if (now - this.#turned < HALF) return;
    this.#older = this.#turned === -Infinity ? this.#latest : this.#newer;
    this.#newer = this.#latest;
    this.#turned = now;
  }

  /** Undefined where nothing was counted. */
  get(): Quantiles | undefined {
    const counts = this.#latest.map((count, bucket) =>
      Math.max(0, count - (this.#older[bucket] ?? 0))
    );
    const total = counts.reduce((sum, count) => sum + count, 0);
    if (total === 0) return undefined;
    return { p50: this.#at(counts, total * 0.5), p99: this.#at(counts, total * 0.99) };
  }

  /** As `histogram_quantile` has it: evenly within a bucket; of the last one its lower bound. */
  #at(counts: readonly number[], rank: number): number {
    let before = 0;
    for (const [bucket, upper] of this.#bounds.entries()) {
      const count = counts[bucket]!;
      if (count > 0 && before + count >= rank) {
        const lower = this.#bounds[bucket - 1] ?? 0;
        return (lower + (upper - lower) * (rank - before) / count) * 1000;
      }
      before += count;
    }
    return this.#bounds.at(-1)! * 1000;
  }
}
