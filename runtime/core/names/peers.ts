/**
 * The names of peers, for rules about domains. The owner of an address says which name it has (PTR), the
 * owner of the name has to confirm it: a name that does not lead back to the address is none.
 */
import { readIp } from "../ip.ts";
import type { Clock, Timer } from "../clock.ts";
import { type Found, keptFor, type Resolver, TTL } from "./resolver.ts";

/** Memory of those that wait for a name, in bytes as {@link Candidate.weight} says them. */
const WEIGHT_MAX = 32 * 1024 * 1024;
/** Who waits for the name of one address, at most. */
const WAITERS_MAX = 256;
/** Questions at once; whoever comes beyond waits, with the same deadline. */
const ASKED = 64;
/** Addresses of one generation: twice as many are remembered, and those forgotten first that were not asked for longest. */
const REMEMBERED = 8192;
/** Names that one address may claim; those in no domain that a rule is about are not even looked at. */
const NAMES_MAX = 8;
/** How long an address counts as one without a name of which nobody has said anything, in ms. */
const RETRY = 10_000;

const NONE: readonly string[] = [];

interface Known {
  readonly names: readonly string[];
  readonly until: number;
}

/** One that waits. */
interface Waiter {
  readonly weight: number;
  told(): void;
}

/** A question that is on its way, or waits for its turn. */
interface Question {
  readonly address: string;
  readonly since: number;
  readonly waiters: Set<Waiter>;
  begun: boolean;
}

export class PeerNames {
  readonly #resolver: Resolver;
  readonly #clock: Clock;
  readonly #timeout: () => number;
  /** How many services have rules about a domain. */
  readonly #domains: Map<string, number> = new Map();
  #young: Map<string, Known> = new Map();
  #old: Map<string, Known> = new Map();
  /** By address, in the order in which they were asked. */
  readonly #questions: Map<string, Question> = new Map();
  #asked = 0;
  #weight = 0;
  #timer: Timer | undefined = undefined;

  /** @param timeout how long somebody waits for a name, in ms; then the address has none. */
  constructor(resolver: Resolver, clock: Clock, timeout: () => number) {
    this.#resolver = resolver;
    this.#clock = clock;
    this.#timeout = timeout;
  }

  /** Only names in domains that a rule is about are of interest. @returns ends that. */
  concern(domains: Iterable<string>): () => void {
    const mine = [...domains];
    for (const domain of mine) {
      const count = this.#domains.get(domain) ?? 0;
      this.#domains.set(domain, count + 1);
      // Names in it were not looked at so far.
      if (count === 0) this.#forget();
    }
    return () => {
      for (const domain of mine) {
        const left = this.#domains.get(domain)! - 1;
        if (left === 0) this.#domains.delete(domain);
        else this.#domains.set(domain, left);
      }
    };
  }

  #forget(): void {
    this.#young = new Map();
    this.#old = new Map();
  }

  /** The confirmed names of an address; undefined when it has to be asked for. */
  known(address: string): readonly string[] | undefined {
    const known = this.#recall(address);
    return known === undefined || this.#clock.now() >= known.until ? undefined : known.names;
  }

  /** What was known last, for who cannot wait. */
  latest(address: string): readonly string[] {
    return this.#recall(address)?.names ?? NONE;
  }

  #recall(address: string): Known | undefined {
    const young = this.#young.get(address);
    if (young !== undefined) return young;
    const old = this.#old.get(address);
    if (old !== undefined) this.#remember(address, old);
    return old;
  }

  #remember(address: string, known: Known): void {
    if (this.#young.size >= REMEMBERED && !this.#young.has(address)) {
      this.#old = this.#young;
      this.#young = new Map();
    }
    this.#young.set(address, known);
  }

  /**
   * Asks for the names of an address; `told` is called once, when {@link known} knows them, later than now.
   *
   * @returns gives up; undefined when too many wait already.
   */
  ask(address: string, weight: number, told: () => void): (() => void) | undefined {
    let question = this.#questions.get(address);
    if (
      this.#weight + weight > WEIGHT_MAX ||
      question !== undefined && question.waiters.size >= WAITERS_MAX
    ) return undefined;
    if (question === undefined) {
      const since = this.#clock.now();
      question = { address, since, waiters: new Set(), begun: false };
      this.#questions.set(address, question);
    }
    const waiter: Waiter = { weight, told };
    const { waiters } = question;
    waiters.add(waiter);
    this.#weight += weight;
    this.#next();
    this.#watch();
    return () => {
      if (waiters.delete(waiter)) this.#weight -= weight;
    };
  }

  /** Begins with those whose turn has come. */
  #next(): void {
    if (this.#asked >= ASKED) return;
    for (const question of this.#questions.values()) {
      if (question.begun) continue;
      // Whoever wanted to know has left.
      if (question.waiters.size === 0) this.#questions.delete(question.address);
      else void this.#begin(question);
      if (this.#asked >= ASKED) return;
    }
  }

  async #begin(question: Question): Promise<void> {
    this.#asked++;
    question.begun = true;
    const { address } = question;
    let known: Known;
    try {
      known = await this.#find(address);
    } catch {
      known = { names: NONE, until: this.#clock.now() + RETRY };
    }
    this.#asked--;
    this.#answer(question, known);
    this.#next();
  }

  async #find(address: string): Promise<Known> {
    const claimed = await this.#resolver.names(address);
    const names = [...new Set(claimed.values)].filter((name) => this.#concerns(name));
    const confirmed: string[] = [];
    let ttl = keptFor(claimed);
    const check = async (name: string): Promise<void> => {
      const family = address.includes(":") ? 6 : 4;
      const none: Found = { values: NONE, ttl: RETRY };
      const found = await this.#resolver.addresses(`${name}.`, family).catch(() => none);
      ttl = Math.min(ttl, keptFor(found));
      if (found.values.some((value) => isSame(value, address))) confirmed.push(name);
    };
    await Promise.all(names.slice(0, NAMES_MAX).map(check));
    return { names: confirmed, until: this.#clock.now() + Math.max(TTL.least, ttl) };
  }

  #concerns(name: string): boolean {
    for (let dot = name.indexOf("."); dot >= 0; dot = name.indexOf(".", dot + 1)) {
      if (this.#domains.has(name.slice(dot + 1))) return true;
    }
    return false;
  }

  /** Tells those who wait. Nobody does any more when the answer comes too late; it is remembered. */
  #answer(question: Question, known: Known): void {
    const { address, waiters } = question;
    this.#remember(address, known);
    if (this.#questions.get(address) === question) this.#questions.delete(address);
    const told = [...waiters];
    waiters.clear();
    for (const { weight } of told) this.#weight -= weight;
    if (this.#questions.size === 0) {
      this.#clock.clear(this.#timer);
      this.#timer = undefined;
    }
    for (const waiter of told) waiter.told();
  }

  // The deadline: the same for all, so that the first who has asked is the first to be late.

  #watch(): void {
    if (this.#timer !== undefined) return;
    const [first] = this.#questions.values();
    if (first === undefined) return;
    const left = first.since + this.#timeout() - this.#clock.now();
    this.#timer = this.#clock.setTimeout(() => this.#strike(), Math.max(1, Math.ceil(left)));
  }

  #strike(): void {
    this.#timer = undefined;
    const now = this.#clock.now();
    const timeout = this.#timeout();
    for (const question of [...this.#questions.values()]) {
      if (now - question.since < timeout) break;
      this.#answer(question, { names: NONE, until: now + RETRY });
    }
    this.#watch();
  }
}

const [one, other] = [new Uint32Array(4), new Uint32Array(4)];

function isSame(a: string, b: string): boolean {
  if (a === b) return true;
  const family = readIp(a, one);
  if (family === 0 || family !== readIp(b, other)) return false;
  return family === 4 ? one[0] === other[0] : one.every((word, index) => word === other[index]);
}
