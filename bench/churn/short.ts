/** A load of short connections. */
import { setTimeout as pause } from "node:timers/promises";
import { Latency } from "./latency.ts";
import { completeShort, type ShortLoad, type ShortWish, wayFrom, wayTo } from "./load.ts";
import { type Ended, once } from "./once.ts";
import { payload } from "./payload.ts";
import type { Failed, Outcome, ShortReport } from "./report.ts";

/** Attempts from other addresses when there is no port here. */
const TRIES = 5;
/** Failures that are kept as examples. */
const EXAMPLES = 10;

/** Begins when it is made. */
export class Short {
  readonly #load: ShortLoad;
  readonly #way;
  readonly #began = performance.now();
  readonly #latency = new Latency();
  readonly #outcomes: Record<Outcome, number> = {
    completed: 0,
    refused: 0,
    reset: 0,
    timedOut: 0,
    closedEarly: 0,
    wrong: 0,
    own: 0,
  };
  readonly #sums = { unclean: 0, retried: 0, sent: 0, received: 0, missing: 0, wrong: 0 };
  readonly #codes: Record<string, number> = {};
  readonly #failures: Failed[] = [];
  readonly #waiting = new Set<{ readonly count: number; readonly resolve: () => void }>();
  readonly #stop = new AbortController();
  readonly #done: Promise<void>;
  #tried = 0;
  #open = 0;
  #turn = 0;
  #next = performance.now();
  #seconds = 0;

  /** @throws RangeError, SyntaxError */
  constructor(wish: ShortWish) {
    this.#load = completeShort(wish);
    this.#way = wayTo(this.#load.endpoint);
    const lanes = Array.from({ length: this.#load.concurrency }, () => this.#lane());
    this.#done = Promise.all(lanes).then(() => this.#finish());
  }

  /** Resolves when all connections have ended. */
  get done(): Promise<void> {
    return this.#done;
  }

  /** Resolves when so many connections are completed, or the load is over. */
  reached(count: number): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    if (this.#outcomes.completed >= count || this.#seconds > 0) resolve();
    else this.#waiting.add({ count, resolve });
    return promise;
  }

  /** Makes no more connections, and waits for those that are open. */
  async stop(): Promise<ShortReport> {
    this.#stop.abort();
    await this.#done;
    return this.report();
  }

  /** The counts so far. */
  report(): ShortReport {
    const { unclean, retried, sent, received, missing, wrong } = this.#sums;
    const { completed, own } = this.#outcomes;
    return {
      tried: this.#tried,
      ...this.#outcomes,
      open: this.#open,
      failed: this.#tried - this.#open - completed - own,
      unclean,
      retried,
      seconds: this.#seconds || (performance.now() - this.#began) / 1_000,
      bytesSent: sent,
      bytesReceived: received,
      missingBytes: missing,
      wrongBytes: wrong,
      latency: this.#latency.percentiles,
      codes: { ...this.#codes },
      failures: [...this.#failures],
    };
  }

  get #over(): boolean {
    return this.#stop.signal.aborted || this.#tried >= (this.#load.total ?? Infinity);
  }

  /** One connection after the other. */
  async #lane(): Promise<void> {
    while (!this.#over) {
      await this.#slot();
      if (this.#over) return;
      const number = ++this.#tried;
      this.#open++;
      this.#count(number, await this.#connection(number));
      this.#open--;
    }
  }

  /** Waits for its turn by the rate. What was missed is not made up for. */
  async #slot(): Promise<void> {
    const now = performance.now();
    const at = Math.max(now - 5, this.#next);
    this.#next = at + 1_000 / this.#load.rate;
    if (at - now < 1) return;
    await pause(at - now, undefined, { signal: this.#stop.signal }).catch(() => {});
  }

  async #connection(number: number): Promise<Ended> {
    const { sources, bytes, close, holdMs, timeoutMs } = this.#load;
    const first = close === "first" || (close === "mixed" && number % 2 === 0);
    const sent = payload(number, 0, bytes);
    for (let left = TRIES;; left--) {
      const way = wayFrom(this.#way, sources, this.#turn++);
      const ended = await once(way, sent, { holdMs, timeoutMs, first });
      if (ended.outcome !== "own" || left <= 1) return ended;
      this.#sums.retried++;
    }
  }

  #count(connection: number, ended: Ended): void {
    const { outcome, code, missing } = ended;
    this.#outcomes[outcome]++;
    this.#sums.sent += ended.sent;
    this.#sums.received += ended.received;
    this.#sums.missing += missing;
    this.#sums.wrong += ended.wrong;
    if (ended.unclean) this.#sums.unclean++;
    if (code !== undefined) this.#codes[code] = (this.#codes[code] ?? 0) + 1;
    if (outcome === "completed") {
      this.#latency.add(ended.ms);
      for (const one of this.#waiting) if (this.#outcomes.completed >= one.count) this.#tell(one);
    } else if (this.#failures.length < EXAMPLES) {
      const at = Math.round(performance.now() - this.#began);
      this.#failures.push({ connection, outcome, code, at, missing });
    }
  }

  #tell(one: { readonly count: number; readonly resolve: () => void }): void {
    this.#waiting.delete(one);
    one.resolve();
  }

  #finish(): void {
    this.#seconds = (performance.now() - this.#began) / 1_000;
    for (const one of this.#waiting) this.#tell(one);
  }
}

/**
 * Runs a load to its `total`, or until `until` aborts; then what is open is waited for. What goes
 * wrong with a connection is counted, not thrown. @throws RangeError, SyntaxError for a load that cannot be.
 */
export async function churn(wish: ShortWish, until?: AbortSignal): Promise<ShortReport> {
  const load = new Short(wish);
  const stop = (): void => void load.stop();
  if (until?.aborted) stop();
  until?.addEventListener("abort", stop);
  await load.done;
  until?.removeEventListener("abort", stop);
  return load.report();
}
