/**
 * Refusals of one source that come too often to be told of one by one: those beyond `limits.refuseRecords`
 * are summed up, with a record every few seconds that counts them. Nothing is lost: records without a
 * `count` stand for one refusal, those with one for so many.
 */
import { sourceOf, type SourcePrefixes } from "./access/source.ts";
import type { Clock, Timer } from "./clock.ts";
import { Address } from "./endpoint.ts";
import type { RateLimit } from "./plan.ts";
import type { LogRecord } from "./record.ts";

/** How often sums are told, in ms. */
const INTERVAL = 10_000;
/** Sources of one generation, each with each cause. */
const SOURCES = 4096;
/** Of all sources together so many records a second are written one by one. */
const TOTAL: RateLimit = { count: 100, per: 1000, burst: 1000 };
/** What tells one refusal from another of the same kind. */
const OF_ONE: readonly string[] = ["session", "method", "path", "until"];

/** A token bucket, and what was summed up meanwhile. */
class Sum {
  #tokens: number;
  #filled: number;
  count = 0;
  suppressed = 0;
  /** The last of them. */
  last: LogRecord | undefined = undefined;

  constructor({ count, burst = count }: RateLimit, now: number) {
    this.#tokens = burst;
    this.#filled = now;
  }

  allows({ count, per, burst = count }: RateLimit, now: number): boolean {
    this.#tokens = Math.min(burst, this.#tokens + (now - this.#filled) * count / per);
    this.#filled = now;
    return this.#tokens >= 1 - 1e-9;
  }

  take(): void {
    this.#tokens--;
  }

  add(record: LogRecord): void {
    this.count++;
    this.suppressed += (record["suppressed"] as number | undefined) ?? 0;
    this.last = record;
  }
}

/** Of one log. */
export class RefusalSums {
  readonly #limit: RateLimit;
  readonly #prefixes: SourcePrefixes;
  readonly #clock: Clock;
  readonly #tell: (record: LogRecord) => void;
  /** By source and cause. When the young ones are too many, those are forgotten that have been silent longer. */
  #young: Map<string, Sum> = new Map();
  #old: Map<string, Sum> = new Map();
  /** By cause, of many sources. */
  readonly #others: Map<string, Sum> = new Map();
  readonly #total: Sum;
  #timer: Timer | undefined = undefined;

  /** @param tell writes a record that counts. */
  constructor(
    limit: RateLimit,
    prefixes: SourcePrefixes,
    clock: Clock,
    tell: (record: LogRecord) => void,
  ) {
    this.#limit = limit;
    this.#prefixes = prefixes;
    this.#clock = clock;
    this.#tell = tell;
    this.#total = new Sum(TOTAL, clock.now());
  }

  /** Whether a record of a refusal is summed up, and not to be written. */
  takes(record: LogRecord): boolean {
    if (record["count"] !== undefined) return false;
    const now = this.#clock.now();
    const cause = `${record.service} ${record.level} ${record["rule"] ?? ""} ${
      record["limit"] ?? ""
    }`;
    const own = this.#ofSource(cause, record, now);
    if (!own.allows(this.#limit, now)) return this.#add(own, record);
    if (!this.#total.allows(TOTAL, now)) {
      let others = this.#others.get(cause);
      if (others === undefined) this.#others.set(cause, others = new Sum(TOTAL, now));
      return this.#add(others, record);
    }
    own.take();
    this.#total.take();
    return false;
  }

  /** Tells what was summed up, now. */
  flush(): void {
    this.#clock.clear(this.#timer);
    this.#timer = undefined;
    for (const sum of this.#young.values()) this.#say(sum, true);
    for (const sum of this.#old.values()) this.#say(sum, true);
    for (const sum of this.#others.values()) this.#say(sum, false);
    this.#others.clear();
  }

  #ofSource(cause: string, record: LogRecord, now: number): Sum {
    const key = `${this.#sourceOf(record)} ${cause}`;
    const known = this.#young.get(key);
    if (known !== undefined) return known;
    const own = this.#old.get(key) ?? new Sum(this.#limit, now);
    this.#old.delete(key);
    if (this.#young.size >= SOURCES) {
      for (const sum of this.#old.values()) this.#say(sum, true);
      this.#old = this.#young;
      this.#young = new Map();
    }
    this.#young.set(key, own);
    return own;
  }

  #sourceOf({ remote, uid }: LogRecord): string {
    const text = String(remote);
    const at = text.indexOf("://");
    if (at < 0) return uid === undefined ? text : `uid:${uid}`;
    const host = text.slice(at + 3, text.lastIndexOf(":")).replace(/^\[|\]$/g, "");
    return sourceOf(new Address("tcp", host, 0, ""), this.#prefixes);
  }

  #add(sum: Sum, record: LogRecord): true {
    sum.add(record);
    this.#timer ??= this.#clock.setTimeout(() => this.flush(), INTERVAL);
    return true;
  }

  #say(sum: Sum, ofOne: boolean): void {
    const { count, suppressed, last } = sum;
    if (last === undefined) return;
    sum.count = sum.suppressed = 0;
    sum.last = undefined;
    const kept = Object.entries(last).filter(([name]) =>
      !OF_ONE.includes(name) && (ofOne || !["remote", "uid", "gid", "pid"].includes(name))
    );
    this.#tell({
      ...Object.fromEntries(kept) as unknown as LogRecord,
      time: Date.now(),
      count,
      ...(suppressed > 0 && { suppressed }),
    });
  }
}
