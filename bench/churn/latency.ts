/** Latencies, counted in steps of two per cent: a run of any length takes the same room. */

/** Milliseconds. All are 0 when nothing was counted. */
export interface Percentiles {
  readonly p50: number;
  readonly p90: number;
  readonly p99: number;
  readonly max: number;
}

/** Steps for each factor of e. */
const STEPS = 50;
/** Microseconds of the first step. */
const LEAST = 1;

export class Latency {
  readonly #counts: number[] = [];
  #count = 0;
  #max = 0;

  add(ms: number): void {
    const step = Math.max(0, Math.floor(Math.log(ms * 1_000 / LEAST) * STEPS));
    this.#counts[step] = (this.#counts[step] ?? 0) + 1;
    this.#count++;
    if (ms > this.#max) this.#max = ms;
  }

  #at(part: number): number {
    let left = Math.ceil(this.#count * part);
    for (const [step, count = 0] of this.#counts.entries()) {
      left -= count;
      if (left <= 0) return Math.min(this.#max, LEAST * Math.exp((step + 0.5) / STEPS) / 1_000);
    }
    return this.#max;
  }

  get percentiles(): Percentiles {
    if (this.#count === 0) return { p50: 0, p90: 0, p99: 0, max: 0 };
    const round = (ms: number): number => Math.round(ms * 1_000) / 1_000;
    return {
      p50: round(this.#at(0.5)),
      p90: round(this.#at(0.9)),
      p99: round(this.#at(0.99)),
      max: round(this.#max),
    };
  }
}
