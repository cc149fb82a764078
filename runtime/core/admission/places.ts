/**
 * The places and turns of one service, and who waits for them. A service that is reloaded shares them
 * with the one that it replaces, so that limits hold over the sessions of both.
 */
import type { Admission } from "./admission.ts";
import type { Candidate, LimitName, Refusal } from "./candidate.ts";
import type { Clock, Timer } from "../clock.ts";
import { Placed } from "./placed.ts";
import { type Policy, REFUSALS } from "./policy.ts";
import { sourceOf } from "../access/source.ts";
import { type Waiter, WaitQueue } from "./queue.ts";
import { Rate, SourceRates } from "./rate.ts";
import { STAGE, Ticket } from "./ticket.ts";

/** Memory of those that wait, in bytes as {@link Candidate.weight} says them; beyond it newcomers are refused. */
export const WEIGHT_MAX = 32 * 1024 * 1024;
/** So many are let in one after the other; then whatever else happens has its turn. */
const BATCH = 64;
/** The longest delay of a timer, in ms. */
const TIMER_MAX = 2 ** 31 - 1;

/** What {@link Places} has in use; not to be changed. */
export interface PlacesState {
  readonly policy: Policy;
  readonly placed: Pick<Placed, "count" | "from">;
  readonly turns: number;
  readonly rate: Pick<Rate, "left">;
  readonly rates: Pick<SourceRates, "left">;
  /** The clock's. */
  readonly time: number;
}

export class Places {
  #policy: Policy;
  readonly #defer: (callback: () => void) => void;
  readonly #clock: Clock;
  /** Places and turns that are taken. */
  readonly #placed: Placed = new Placed();
  #turns = 0;
  readonly #rate: Rate = new Rate();
  readonly #rates: SourceRates = new SourceRates();
  /** Have no place yet; have a place, and not their turn. */
  readonly #placeless: WaitQueue = new WaitQueue();
  readonly #turnless: WaitQueue = new WaitQueue();
  #weight = 0;
  #admitting = false;
  #deferred = false;
  #timer: Timer | undefined = undefined;

  /** @param defer runs a callback after everything else of this round of the event loop. */
  constructor(policy: Policy, defer: (callback: () => void) => void, clock: Clock) {
    this.#clock = clock;
    this.#policy = policy;
    this.#defer = defer;
  }

  /** What is taken now: for `fullness.ts`, which tells of it. */
  get state(): PlacesState {
    return {
      policy: this.#policy,
      placed: this.#placed,
      turns: this.#turns,
      rate: this.#rate,
      rates: this.#rates,
      time: this.#clock.now(),
    };
  }

  /** Calls `visit` for each that has a place, or waits for one. */
  forEach(visit: (ticket: Ticket) => void): void {
    this.#placed.forEach(visit);
    for (let each = this.#placeless.first; each !== undefined; each = each.next) visit(each.ticket);
  }

  /** From here on this is what is limited. Who is in stays in. */
  set policy(policy: Policy) {
    this.#policy = policy;
    this.#countSources();
    this.#rest();
    this.#watch();
    this.#admit();
  }

  /**
   * A place and a turn, at once or later; or the limit that forbids it. Nobody is asked for its address
   * while `perSource` limits nothing; a policy that sets it asks those who are in.
   */
  enter(admission: Admission, candidate: Candidate): Ticket | Refusal {
    const { limits, concurrency } = this.#policy;
    const tooOften = this.#tooOften(candidate);
    if (tooOften !== undefined) return REFUSALS[tooOften];
    const source = this.#sourceOf(candidate);
    const obstacle = this.#obstacle(source);
    if (obstacle === undefined) {
      const turn = this.#turns < concurrency.max && this.#turnless.first === undefined;
      if (!turn && this.#weight + candidate.weight > WEIGHT_MAX) return REFUSALS.hold;
      const ticket = new Ticket(admission, candidate, source);
      this.#takePlace(ticket);
      if (turn) this.#takeTurn(ticket);
      else this.#wait(ticket, candidate, STAGE.turn);
      return ticket;
    }
    // A rate is not waited for, nor does a datagram wait for a place.
    const waits = obstacle !== "rate" && limits.overflow === "hold" &&
      candidate.kind !== "datagram";
    if (!waits) return REFUSALS[obstacle];
    if (this.#weight + candidate.weight > WEIGHT_MAX) return REFUSALS.hold;
    const ticket = new Ticket(admission, candidate, source);
    this.#wait(ticket, candidate, STAGE.place);
    return ticket;
  }

  /** A place, at once or never, without a turn. */
  join(admission: Admission, candidate: Candidate): Ticket | Refusal {
    const source = this.#sourceOf(candidate);
    const obstacle = this.#full(source);
    if (obstacle !== undefined) return REFUSALS[obstacle];
    const ticket = new Ticket(admission, candidate, source);
    this.#placed.add(ticket);
    ticket.stage = STAGE.turned;
    return ticket;
  }

  /** A turn is free: whoever has waited longest has it. */
  returnTurn(): void {
    this.#turns--;
    this.#admit();
  }

  /** A ticket is over, which had come to `stage`. */
  release(ticket: Ticket, stage: number): void {
    if (ticket.waiter !== undefined) this.#leaveQueue(ticket.waiter);
    if (stage === STAGE.served) this.#turns--;
    if (stage !== STAGE.place) this.#placed.remove(ticket);
    ticket.admission.left();
    this.#admit();
  }

  /** Refuses who waits for a place or a turn of this admission. */
  refuse(admission: Admission, why: Refusal): void {
    const found: Waiter[] = [];
    for (const queue of [this.#placeless, this.#turnless]) {
      for (let waiter = queue.first; waiter !== undefined; waiter = waiter.next) {
        if (waiter.ticket.admission === admission) found.push(waiter);
      }
    }
    // Some may have left because others were refused.
    for (const waiter of found) if (waiter.queue !== undefined) this.#refuse(waiter, why);
  }

  /** The rate by source that forbids one more; who has no address cannot be forged. It takes its token. */
  #tooOften(candidate: Candidate): LimitName | undefined {
    const { ratePerSource, datagramRate, source: prefixes } = this.#policy.limits;
    const own = candidate.kind === "datagram" ? datagramRate : undefined;
    const rate = own ?? ratePerSource;
    if (rate === undefined || rate.count === Infinity) return undefined;
    const source = sourceOf(candidate.remote, prefixes);
    if (source === "" || this.#rates.admits(source, rate, this.#clock.now())) return undefined;
    return own === undefined ? "ratePerSource" : "datagramRate";
  }

  /** Empty while nobody counts by it. */
  #sourceOf(candidate: Candidate): string {
    const { perSource, source } = this.#policy.limits;
    return perSource === Infinity ? "" : sourceOf(candidate.remote, source);
  }

  /** What forbids another place now. */
  #obstacle(source: string): LimitName | undefined {
    const full = this.#full(source);
    if (full !== undefined) return full;
    const { rate } = this.#policy.limits;
    return rate.count === Infinity || this.#rate.allows(rate, this.#clock.now())
      ? undefined
      : "rate";
  }

  #full(source: string): "sessions" | "perSource" | undefined {
    const { sessions, perSource } = this.#policy.limits;
    if (this.#placed.count >= sessions) return "sessions";
    return source !== "" && this.#placed.from(source) >= perSource ? "perSource" : undefined;
  }

  #takePlace(ticket: Ticket): void {
    this.#placed.add(ticket);
    this.#rate.take();
  }

  /** Of those too who came while nobody counted, or while something else counted as one source. */
  #countSources(): void {
    this.#placed.countSources((candidate) => this.#sourceOf(candidate));
    for (let each = this.#placeless.first; each !== undefined; each = each.next) {
      each.ticket.source = this.#sourceOf(each.candidate);
    }
  }

  #takeTurn(ticket: Ticket): void {
    ticket.stage = STAGE.served;
    this.#turns++;
  }

  // Who waits.

  #wait(ticket: Ticket, candidate: Candidate, stage: number): void {
    const waiter: Waiter = {
      ticket,
      candidate,
      since: this.#clock.now(),
      queue: undefined,
      previous: undefined,
      next: undefined,
    };
    ticket.stage = stage;
    ticket.waiter = waiter;
    this.#weight += candidate.weight;
    ticket.admission.waiting++;
    (stage === STAGE.place ? this.#placeless : this.#turnless).add(waiter);
    this.#watch();
  }

  /** It does not wait any more. */
  #leaveQueue(waiter: Waiter): void {
    waiter.queue!.remove(waiter);
    waiter.ticket.waiter = undefined;
    waiter.ticket.admission.waiting--;
    this.#weight -= waiter.candidate.weight;
    if (this.#turnless.length + this.#placeless.length === 0) this.#rest();
  }

  #refuse(waiter: Waiter, why: Refusal): void {
    waiter.ticket.release();
    waiter.candidate.refused(why);
  }

  /** Lets in who can come. Whoever gives back from inside of that is seen by the loop, not by a call of its own. */
  #admit(): void {
    if (this.#admitting || this.#deferred) return;
    this.#admitting = true;
    try {
      for (let count = 0; count < BATCH; count++) if (!this.#admitOne()) return;
    } finally {
      this.#admitting = false;
    }
    this.#deferred = true;
    this.#defer(() => {
      this.#deferred = false;
      this.#admit();
    });
  }

  #admitOne(): boolean {
    const waiter = this.#turnless.first;
    if (waiter !== undefined && this.#turns < this.#policy.concurrency.max) {
      if (this.#isLate(waiter, this.#clock.now())) this.#refuse(waiter, REFUSALS.hold);
      else this.#grant(waiter);
      return true;
    }
    const next = this.#placeless.first === undefined ? undefined : this.#fitting();
    if (next === undefined) return false;
    this.#takePlace(next.ticket);
    if (this.#turns < this.#policy.concurrency.max) this.#grant(next);
    else {
      next.ticket.stage = STAGE.turn;
      this.#placeless.remove(next);
      this.#turnless.add(next);
    }
    return true;
  }

  #grant(waiter: Waiter): void {
    this.#leaveQueue(waiter);
    this.#takeTurn(waiter.ticket);
    waiter.candidate.admitted();
  }

  /** The first that there is a place for: another one from the same address may have to go on waiting. */
  #fitting(): Waiter | undefined {
    if (this.#placed.count >= this.#policy.limits.sessions) return undefined;
    for (let waiter = this.#placeless.first; waiter !== undefined; waiter = waiter.next) {
      const obstacle = this.#obstacle(waiter.ticket.source);
      if (obstacle === undefined) return waiter;
      if (obstacle !== "perSource") return undefined;
    }
    return undefined;
  }

  // The one deadline of those that wait.

  #isLate({ since }: Waiter, now: number): boolean {
    return now - since >= this.#policy.limits.hold;
  }

  #watch(): void {
    const { hold } = this.#policy.limits;
    if (this.#timer !== undefined) return;
    const since = Math.min(
      this.#turnless.first?.since ?? Infinity,
      this.#placeless.first?.since ?? Infinity,
    );
    const left = since + hold - this.#clock.now();
    if (left > TIMER_MAX) return;
    this.#timer = this.#clock.setTimeout(() => this.#look(), Math.max(1, Math.ceil(left)));
  }

  #rest(): void {
    this.#clock.clear(this.#timer);
    this.#timer = undefined;
  }

  #look(): void {
    this.#timer = undefined;
    const now = this.#clock.now();
    for (const queue of [this.#turnless, this.#placeless]) {
      while (queue.first !== undefined && this.#isLate(queue.first, now)) {
        this.#refuse(queue.first, REFUSALS.hold);
      }
    }
    this.#watch();
  }
}
