import type { Offence } from "../../core/admission/gate.ts";
import type { ServicePlan } from "../../core/plan.ts";

/** Refusals by a rule that say nothing of whoever was refused. */
const BLAMELESS: ReadonlySet<string> = new Set(["ban", "loop", "from", "once"]);
/** Limits that a source reaches by itself. Those of the whole service are reached by others, too. */
const OWN_LIMITS: ReadonlySet<string> = new Set(["perSource", "ratePerSource", "datagramRate"]);

/** Whether it counts for a ban. */
export function counts(what: Offence): boolean {
  if ("limit" in what) return OWN_LIMITS.has(what.limit);
  return "offence" in what || !BLAMELESS.has(what.rule);
}

/** What it was, in words. */
export function describeOffence(what: Offence): string {
  if ("limit" in what) return `limit ${what.limit}`;
  return "offence" in what ? what.offence : `rule ${what.rule}`;
}

/** Sources of one generation. */
const SOURCES = 4096;

/**
 * When the last offences of each source were, in bounded memory: twice {@link SOURCES} are remembered. When
 * the younger half is full, those are forgotten that have not offended since it began to fill.
 */
export class Offences {
  readonly #count: number;
  readonly #per: number;
  #young = new Map<string, number[]>();
  #old = new Map<string, number[]>();

  /** @param count of offences in `per` ms that is too many. */
  constructor(count: number, per: number) {
    this.#count = count;
    this.#per = per;
  }

  /** How many sources are remembered. */
  get size(): number {
    return this.#young.size + this.#old.size;
  }

  /** One more at `now`, in ms; true when these are too many, and the count begins anew. */
  add(source: string, now: number): boolean {
    const times = this.#young.get(source) ?? this.#renew(source);
    times.push(now);
    if (times.length < this.#count) return false;
    if (now - times[0]! < this.#per) {
      this.#young.delete(source);
      return true;
    }
    times.shift();
    return false;
  }

  #renew(source: string): number[] {
    const times = this.#old.get(source) ?? [];
    this.#old.delete(source);
    if (this.#young.size >= SOURCES) {
      this.#old = this.#young;
      this.#young = new Map();
    }
    this.#young.set(source, times);
    return times;
  }
}

/** Those of each service that counts any; they go on being counted when it is reloaded. */
export class OffencesByService {
  readonly #all: Map<string, { readonly by: string; readonly offences: Offences }> = new Map();

  /** As {@link Offences.add}; the service has `ban.after`. */
  add({ name, ban }: ServicePlan, source: string, now: number): boolean {
    const { count, per } = ban!.after!;
    const by = `${count}/${per}`;
    let own = this.#all.get(name);
    if (own?.by !== by) this.#all.set(name, own = { by, offences: new Offences(count, per) });
    return own.offences.add(source, now);
  }

  /** Forgets those of other services. */
  keep(services: readonly ServicePlan[]): void {
    const counting = new Set(services.filter(({ ban }) => ban?.after).map(({ name }) => name));
    for (const name of this.#all.keys()) if (!counting.has(name)) this.#all.delete(name);
  }
}
