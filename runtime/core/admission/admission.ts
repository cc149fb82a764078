/**
 * Decides who is served, and when: for every transport and every strategy, where the sockets are.
 *
 *     BANS → RULES (by address) → LIMITS → TURN
 *
 * `admit` answers at once, without work for anybody who is turned away, and without a promise for
 * anybody who is let in. A worker, and what a plugin connects to itself, is never asked here.
 */
import type { NamedRules } from "../names/rules.ts";
import { AccessRules, type Verdict } from "../access/rules.ts";
import { type Clock, SYSTEM_CLOCK } from "../clock.ts";
import { Count } from "../count.ts";
import type { Access, ServicePlan } from "../plan.ts";
import { type Candidate, carried, type Refusal } from "./candidate.ts";
import { type Gate, SENSOR } from "./gate.ts";
import type { NameWait, NameWaits } from "./name-wait.ts";
import { Places } from "./places.ts";
import { type Policy, REFUSALS } from "./policy.ts";
import type { Shedder } from "./shedder.ts";
import type { OwnSockets } from "./own-sockets.ts";
import { Ticket } from "./ticket.ts";

/** What an admission is made of: the parts of a service's plan that it needs. */
export type AdmissionPlan = Policy & { readonly access: Access } & Pick<ServicePlan, "sensor">;

const CLOSED: Refusal = { limit: "drain" };
const LOOP: Refusal = { rule: "loop" };

/** The admission of one service. */
export class Admission {
  /** Shared with the service that this one has replaced. */
  readonly places: Places;
  /** How many of {@link live} wait for their place or their turn. The places count it. */
  waiting = 0;
  /** Tells whether there is too much to do for newcomers; undefined where nobody asks. */
  load: { readonly high: boolean } | undefined = undefined;
  /** Makes room for newcomers; undefined where nobody can. */
  shedder: Shedder | undefined = undefined;
  /** Is told that nobody comes in for so many ms: whoever has the sockets need not accept. */
  rests: (ms: number) => void = () => {};
  readonly #plan: AdmissionPlan;
  /** Bytes of a datagram. */
  readonly #most: number;
  readonly #rules: AccessRules;
  readonly #clock: Clock;
  readonly #own: OwnSockets | undefined;
  readonly #gate: Gate | undefined;
  readonly #live: Count;
  /** There is no rule to ask. */
  readonly #open: boolean;
  /** Where rules are about names. */
  #named: NamedRules | undefined = undefined;
  #nameWaits: NameWaits | undefined = undefined;
  #closed = false;
  /** Nobody comes any more: names are followed no longer, and no session ends with its hours. */
  forget: () => void = () => {};

  /**
   * @param defer as {@link Adapter.defer}.
   * @param before of the service that this one replaces. Its limits hold until {@link activate}.
   * @param own the sockets from which no datagram comes in earnest.
   * @param gate of all services.
   */
  constructor(
    plan: AdmissionPlan,
    defer: (callback: () => void) => void,
    before?: Admission,
    own?: OwnSockets,
    clock: Clock = SYSTEM_CLOCK,
    gate?: Gate,
  ) {
    this.#plan = plan;
    this.#most = plan.limits.bytes?.in ?? Infinity;
    this.#gate = gate;
    this.#own = own;
    this.#live = new Count(clock);
    this.#rules = new AccessRules(plan.access);
    this.#open = this.#rules.empty && !plan.sensor;
    this.#clock = clock;
    this.places = before?.places ?? new Places(plan, defer, clock);
  }

  /** The limits of this service hold from here on, for those too who came to the one before it. */
  activate(): void {
    this.places.policy = this.#plan;
  }

  /** Where rules are about names: before anybody comes. */
  useNames(named: NamedRules, waits: NameWaits): void {
    this.#named = named;
    this.#nameWaits = waits;
  }

  /** For {@link useNames}. */
  get rules(): AccessRules {
    return this.#rules;
  }

  /** How many wait or are served. */
  get live(): number {
    return this.#live.value;
  }

  /**
   * A ticket, which may have to wait ({@link Ticket.granted}; then the candidate is told), or why not.
   * A ticket has to be released when its session is over.
   */
  admit(candidate: Candidate): Ticket | NameWait | Refusal {
    if (this.#closed) return CLOSED;
    if (this.#open && this.#gate?.asks !== true) return this.#enter(candidate);
    const barred = this.#barred(candidate);
    if (barred !== undefined) return barred;
    if (this.#rules.empty) return this.#enter(candidate);
    const wall = this.#wall();
    const verdict = this.#named === undefined
      ? this.#rules.decide(candidate.remote, wall)
      : this.#named.decide(candidate.remote, wall);
    return verdict === undefined ? this.#nameWaits!.add(candidate) : this.#obey(verdict, candidate);
  }

  /** One whose name has been asked for is let in, or not. For {@link NameWaits} alone. */
  admitNamed(candidate: Candidate): Ticket | Refusal {
    return this.#barred(candidate, true) ??
      this.#obey(this.#named!.decideNow(candidate.remote, this.#wall()), candidate);
  }

  /** One more waits for its name, or one less does. For {@link NameWaits} alone. */
  waitsForName(growth: 1 | -1): void {
    this.waiting += growth;
    if (growth > 0) this.#live.up();
    else this.#live.down();
  }

  /** What is decided of it by a rule. */
  #obey(verdict: Verdict, candidate: Candidate): Ticket | Refusal {
    return this.#refused(verdict, candidate) ?? this.#enter(candidate);
  }

  #enter(candidate: Candidate): Ticket | Refusal {
    if (candidate.kind === "datagram") {
      if (this.#own?.has(candidate.remote, candidate.local)) return LOOP;
      if (carried(candidate) > this.#most) return REFUSALS.bytes;
    }
    if (this.load?.high === true) return REFUSALS.load;
    const answer = this.places.enter(this, candidate);
    if (answer instanceof Ticket) this.#live.up();
    return answer;
  }

  /**
   * A ticket for somebody who belongs to one that is in, as FTP's data connections do: rules hold, and it has
   * a place of its own; but it needs no turn, never waits, and comes in though the service drains.
   */
  join(candidate: Candidate): Ticket | Refusal {
    const barred = this.#barred(candidate);
    if (barred !== undefined) return barred;
    if (!this.#rules.empty) {
      const wall = this.#wall();
      // Whom it belongs to has been named: nobody waits here.
      const verdict = (this.#named?.decideNow(candidate.remote, wall)) ??
        this.#rules.decide(candidate.remote, wall);
      const refused = this.#refused(verdict, candidate);
      if (refused !== undefined) return refused;
    }
    const answer = this.places.join(this, candidate);
    if (answer instanceof Ticket) this.#live.up();
    return answer;
  }

  /** The time of day, where any rule asks. */
  #wall(): number {
    return this.#rules.timed ? this.#clock.wall() : 0;
  }

  /** By a ban, and of a sensor: before any rule. @param again it was asked about the candidate before. */
  #barred(candidate: Candidate, again = false): Refusal | undefined {
    if (this.#gate?.asks) {
      const banned = this.#gate.refuses(candidate, this.#plan.limits.source, again);
      if (banned !== undefined) return banned;
    }
    return this.#plan.sensor ? SENSOR : undefined;
  }

  /** By a rule. Nobody is asked for an address, nor for the time, where there is none. */
  #refused({ served, rule, text }: Verdict, candidate: Candidate): Refusal | undefined {
    if (served) {
      if (rule?.options !== undefined) candidate.ruleOptions = rule.options;
      return undefined;
    }
    return rule?.place === undefined ? { rule: text } : { rule: text, place: rule.place };
  }

  /** A ticket is over. For {@link Places} alone. */
  left(): void {
    this.#live.down();
  }

  /** Newcomers are refused; who is in, or waits, stays. */
  close(): void {
    this.#closed = true;
  }

  /** Lets newcomers in again; whoever waits in {@link empty} need not wait any more. */
  reopen(): void {
    this.#closed = false;
    this.#live.recall();
  }

  /** Refuses who waits, with limit `drain`. */
  refuseWaiting(): void {
    this.#nameWaits?.refuse(CLOSED);
    this.places.refuse(this, CLOSED);
  }

  /** As {@link Count.empty}, of those that wait or are served. */
  empty(limit: number): Promise<boolean> {
    return this.#live.empty(limit);
  }
}
