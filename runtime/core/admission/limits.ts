import type { Limits } from "../plan.ts";

/** The limit that was reached, as the `refuse` record names it. */
export type LimitName = "sessions" | "perSource" | "rate";

/** Counts the sessions of one service. Whoever entered has to leave. */
export class Gate {
  readonly #limits: Limits;
  readonly #sources: Map<string, number> | undefined;
  readonly #now: () => number;
  #tokens: number;
  #filled: number;
  #live = 0;

  /** @param now milliseconds, from any start, never back. */
  constructor(limits: Limits, now: () => number) {
    this.#limits = limits;
    this.#sources = limits.perSource === Infinity ? undefined : new Map();
    this.#now = now;
    this.#tokens = limits.rate.count;
    this.#filled = now();
  }

  /** Sessions that are in. */
  get live(): number {
    return this.#live;
  }

  /** True when the source of a session matters: only then it has to be made. */
  get countsSources(): boolean {
    return this.#sources !== undefined;
  }

  /** Takes the place, or names the limit that forbids it. `source` is an address; empty is not counted. */
  enter(source: string): LimitName | undefined {
    if (this.#live >= this.#limits.sessions) return "sessions";
    if (this.#sources !== undefined && source !== "") {
      const count = this.#sources.get(source) ?? 0;
      if (count >= this.#limits.perSource) return "perSource";
      if (!this.#takeToken()) return "rate";
      this.#sources.set(source, count + 1);
    } else if (!this.#takeToken()) return "rate";
    this.#live++;
    return undefined;
  }

  /** Gives the place back. */
  leave(source: string): void {
    this.#live--;
    if (this.#sources === undefined || source === "") return;
    const count = this.#sources.get(source)! - 1;
    if (count === 0) this.#sources.delete(source);
    else this.#sources.set(source, count);
  }

  #takeToken(): boolean {
    const { count, per } = this.#limits.rate;
    if (count === Infinity) return true;
    const now = this.#now();
    this.#tokens = Math.min(count, this.#tokens + (now - this.#filled) * count / per);
    this.#filled = now;
    if (this.#tokens < 1) return false;
    this.#tokens--;
    return true;
  }
}
