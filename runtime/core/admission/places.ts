/**
 * The places and turns of one service, and who waits for them. A service that is reloaded shares them
 * with the one that it replaces, so that limits hold over the sessions of both.
 */
import type { Admission } from "./admission.ts";
import type { Candidate, Refusal } from "./candidate.ts";
import type { Clock } from "../clock.ts";
import type { PlacesState } from "./fullness.ts";
import { Placed } from "./placed.ts";
import { isUnlimited, type Policy, REFUSALS } from "./policy.ts";
import { sourceOf } from "../access/source.ts";
import type { Waiter } from "./queue.ts";
import { Rate, SourceRates } from "./rate.ts";
import { STAGE, Ticket } from "./ticket.ts";
import { Waiting } from "./waiting.ts";

/** So many are let in one after the other; then whatever else happens has its turn. */
const BATCH = 64;

/** What keeps somebody from a place. */
type Obstacle = "sessions" | "perSource" | "rate";

export class Places {
  #policy: Policy;
  readonly #defer: (callback: () => void) => void;
  readonly #clock: Clock;
  /** Places and turns that are taken. */
  readonly #placed: Placed = new Placed();
  #turns = 0;
  readonly #rate: Rate = new Rate();
  readonly #rates: SourceRates = new SourceRates();
  readonly #waiting: Waiting;
  /** The service rests up to then, in ms of the clock: nobody comes in. */
  #restsUntil = -Infinity;
  #unlimited: boolean;
  /** It is unlimited, and nobody waits any more: whoever comes is let in without a look at anything. */
  #free: boolean;
  #admitting = false;
  #deferred = false;

  /** @param defer runs a callback after everything else of this round of the event loop. */
  constructor(policy: Policy, defer: (callback: () => void) => void, clock: Clock) {
    this.#clock = clock;
    this.#policy = policy;
    this.#defer = defer;
    this.#placed.keepsTickets = policy.limits.overflow.perSource === "shed";
    const late = (waiter: Waiter): void => this.#refuse(waiter, REFUSALS.hold);
    this.#waiting = new Waiting(clock, late, () => this.#admit());
    this.#free = this.#unlimited = isUnlimited(policy);
  }

  /** What is taken now: for `fullness.ts`, which tells of it. */
  get state(): PlacesState {
    const time = this.#clock.now();
    return {
      policy: this.#policy,
      placed: this.#placed,
      turns: this.#turns,
      rate: this.#rate,
      rates: this.#rates,
      waiting: this.#waiting.length,
      rests: Math.max(0, this.#restsUntil - time),
      time,
    };
  }

  /** Whether somebody may have a turn as soon as another one ends. */
  get anybodyWaits(): boolean {
    return !this.#free && this.#waiting.length > 0;
  }

  /** Calls `visit` for each that has a place, or waits for one. */
  forEach(visit: (ticket: Ticket) => void): void {
    this.#placed.forEach(visit);
    this.#waiting.placeless.forEach(({ ticket }) => visit(ticket));
  }

  /** From here on this is what is limited. Who is in stays in. */
  set policy(policy: Policy) {
    this.#policy = policy;
    this.#unlimited = isUnlimited(policy);
    this.#free = false;
    this.#placed.keepsTickets = policy.limits.overflow.perSource === "shed";
    this.#countSources();
    this.#restsUntil = -Infinity;
    this.#waiting.rest();
    this.#waiting.watch(policy.limits.hold);
    this.#admit();
  }

  /**
   * A place and a turn, at once or later; or the limit that forbids it. Nobody is asked for its address
   * while `perSource` limits nothing; a policy that sets it asks those who are in.
   */
  enter(admission: Admission, candidate: Candidate): Ticket | Refusal {
    if (this.#free) return this.#letIn(new Ticket(admission, candidate, ""));
    const { limits, concurrency } = this.#policy;
    const tooOften = this.#rates.forbids(candidate, limits, this.#clock);
    if (tooOften !== undefined) return REFUSALS[tooOften];
    const source = this.#sourceOf(candidate);
    // Time alone may have made room: for those first who have waited.
    if (this.#waiting.placeless.first !== undefined && limits.rate.count !== Infinity) {
      this.#admit();
    }
    const obstacle = this.#obstacle(source);
    if (obstacle !== undefined) return this.#overflow(obstacle, admission, candidate, source);
    const turn = this.#turns < concurrency.max && this.#waiting.turnless.first === undefined;
    if (!turn && !this.#waiting.hasRoom(candidate, limits.waiting)) return REFUSALS.waiting;
    const ticket = new Ticket(admission, candidate, source);
    this.#takePlace(ticket);
    if (turn) this.#takeTurn(ticket);
    else this.#waiting.add(ticket, STAGE.turn, limits.hold);
    return ticket;
  }

  /** What becomes of a newcomer at a limit. */
  #overflow(
    obstacle: Obstacle,
    admission: Admission,
    candidate: Candidate,
    source: string,
  ): Ticket | Refusal {
    const { limits } = this.#policy;
    if (obstacle === "rate" && limits.rest > 0) this.#beginRest(admission);
    const word = limits.overflow[obstacle];
    const narrower = word === "shed" ? this.#narrower(obstacle, source) : obstacle;
    if (narrower !== obstacle) return this.#overflow(narrower, admission, candidate, source);
    // A datagram does not wait for a place, and nothing is shed for who is no stream.
    const sheds = word === "shed" && candidate.kind === "stream";
    if (!sheds && (word !== "wait" || candidate.kind === "datagram")) return REFUSALS[obstacle];
    if (!this.#waiting.hasRoom(candidate, limits.waiting)) return REFUSALS.waiting;
    const ticket = new Ticket(admission, candidate, source);
    if (sheds && !this.#shed(obstacle, ticket)) return REFUSALS[obstacle];
    this.#waiting.add(ticket, STAGE.place, limits.hold);
    if (obstacle === "rate") this.#retryRate();
    return ticket;
  }

  /** What would keep it out still when one of all has gone for it. */
  #narrower(obstacle: Obstacle, source: string): Obstacle {
    if (this.#isTooFast()) return "rate";
    return obstacle === "sessions" && this.#isSourceFull(source) ? "perSource" : obstacle;
  }

  /** Has one end whose place this ticket may have. @returns false where there is none. */
  #shed(obstacle: Obstacle, ticket: Ticket): boolean {
    const among = obstacle === "perSource" ? this.#placed.of(ticket.source) : undefined;
    return ticket.admission.shedder?.shed(among, () => {
      if (ticket.waiter !== undefined) this.#refuse(ticket.waiter, REFUSALS[obstacle]);
    }) === true;
  }

  #beginRest(admission: Admission): void {
    const now = this.#clock.now();
    if (now < this.#restsUntil) return;
    const { rest } = this.#policy.limits;
    this.#restsUntil = now + rest;
    admission.rests(rest);
  }

  /** A rest is over sooner than it should. */
  endRest(): void {
    this.#restsUntil = -Infinity;
    this.#admit();
  }

  /** Looks again when the rate, or the end of a rest, lets the next one in. */
  #retryRate(): void {
    const rests = this.#restsUntil - this.#clock.now();
    this.#waiting.retryIn(Math.max(rests, this.#rate.due(this.#policy.limits.rate)));
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
    if (ticket.waiter !== undefined) this.#waiting.remove(ticket.waiter);
    if (stage === STAGE.served) this.#turns--;
    if (stage !== STAGE.place) this.#placed.remove(ticket);
    ticket.admission.left();
    this.#admit();
  }

  /** Refuses who waits for a place or a turn of this admission. */
  refuse(admission: Admission, why: Refusal): void {
    // Some may have left because others were refused.
    for (const waiter of this.#waiting.of(admission)) {
      if (waiter.queue !== undefined) this.#refuse(waiter, why);
    }
  }

  /** Empty while nobody counts by it. */
  #sourceOf(candidate: Candidate): string {
    const { perSource, source } = this.#policy.limits;
    return perSource === Infinity ? "" : sourceOf(candidate.remote, source);
  }

  /** What forbids another place now. */
  #obstacle(source: string): Obstacle | undefined {
    const full = this.#full(source);
    if (full !== undefined) return full;
    return this.#isTooFast() ? "rate" : undefined;
  }

  #isTooFast(): boolean {
    const { rate } = this.#policy.limits;
    if (rate.count === Infinity) return false;
    const now = this.#clock.now();
    return now < this.#restsUntil || !this.#rate.allows(rate, now);
  }

  #full(source: string): "sessions" | "perSource" | undefined {
    if (this.#placed.count >= this.#policy.limits.sessions) return "sessions";
    return this.#isSourceFull(source) ? "perSource" : undefined;
  }

  #isSourceFull(source: string): boolean {
    return source !== "" && this.#placed.from(source) >= this.#policy.limits.perSource;
  }

  #takePlace(ticket: Ticket): void {
    this.#placed.add(ticket);
    this.#rate.take();
  }

  /** Of those too who came while nobody counted, or while something else counted as one source. */
  #countSources(): void {
    this.#placed.countSources((candidate) => this.#sourceOf(candidate));
    this.#waiting.placeless.forEach(({ ticket, candidate }) => {
      ticket.source = this.#sourceOf(candidate);
    });
  }

  #takeTurn(ticket: Ticket): void {
    ticket.stage = STAGE.served;
    this.#turns++;
  }

  #letIn(ticket: Ticket): Ticket {
    this.#placed.add(ticket);
    this.#takeTurn(ticket);
    return ticket;
  }

  // Who waits.

  #refuse(waiter: Waiter, why: Refusal): void {
    waiter.ticket.release();
    waiter.candidate.refused(why);
  }

  /** Lets in who can come. Whoever gives back from inside of that is seen by the loop, not by a call of its own. */
  #admit(): void {
    if (this.#free || this.#admitting || this.#deferred) return;
    this.#admitting = true;
    try {
      for (let count = 0; count < BATCH; count++) {
        if (!this.#admitOne()) return void (this.#free = this.#unlimited);
      }
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
    const { concurrency, limits } = this.#policy;
    const waiter = this.#waiting.turnless.first;
    if (waiter !== undefined && this.#turns < concurrency.max) {
      const late = this.#clock.now() - waiter.since >= limits.hold;
      if (late) this.#refuse(waiter, REFUSALS.hold);
      else this.#grant(waiter);
      return true;
    }
    const next = this.#waiting.placeless.first === undefined ? undefined : this.#fitting();
    if (next === undefined) return false;
    this.#takePlace(next.ticket);
    if (this.#turns < concurrency.max) this.#grant(next);
    else this.#waiting.moveOn(next);
    return true;
  }

  #grant(waiter: Waiter): void {
    this.#waiting.remove(waiter);
    this.#takeTurn(waiter.ticket);
    waiter.candidate.admitted();
  }

  /** The first that there is a place for: another one from the same address may have to go on waiting. */
  #fitting(): Waiter | undefined {
    if (this.#placed.count >= this.#policy.limits.sessions) return undefined;
    const { placeless } = this.#waiting;
    for (let waiter = placeless.first; waiter !== undefined; waiter = waiter.next) {
      const obstacle = this.#obstacle(waiter.ticket.source);
      if (obstacle === undefined) return waiter;
      if (obstacle === "rate") this.#retryRate();
      if (obstacle !== "perSource") return undefined;
    }
    return undefined;
  }
}
