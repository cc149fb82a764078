/** Those of one service who wait, for a place or for their turn: in order, in bounds, and not for ever. */
import type { Clock, Timer } from "../clock.ts";
import type { Limits } from "../plan.ts";
import type { Admission } from "./admission.ts";
import type { Candidate } from "./candidate.ts";
import { type Waiter, WaitQueue } from "./queue.ts";
import { STAGE, type Ticket } from "./ticket.ts";

/** The longest delay of a timer, in ms. */
const TIMER_MAX = 2 ** 31 - 1;

export class Waiting {
  /** Have no place yet; have a place, and not their turn. */
  readonly placeless: WaitQueue = new WaitQueue();
  readonly turnless: WaitQueue = new WaitQueue();
  readonly #clock: Clock;
  readonly #late: (waiter: Waiter) => void;
  readonly #retry: () => void;
  #weight = 0;
  /** The one deadline of all; when a place may be had by the mere time. */
  #timer: Timer | undefined = undefined;
  #retryTimer: Timer | undefined = undefined;
  #retryAt = Infinity;

  /**
   * @param late is told who has waited for too long.
   * @param retry is called when {@link retryAt} has come.
   */
  constructor(clock: Clock, late: (waiter: Waiter) => void, retry: () => void) {
    this.#clock = clock;
    this.#late = late;
    this.#retry = retry;
  }

  /** How many wait. */
  get length(): number {
    return this.placeless.length + this.turnless.length;
  }

  /** Whether there is room for one more. */
  hasRoom({ weight }: Candidate, { sessions, bytes }: Limits["waiting"]): boolean {
    return this.length < sessions && this.#weight + weight <= bytes;
  }

  add(ticket: Ticket, stage: number, hold: number): void {
    const { candidate, admission } = ticket;
    const since = this.#clock.now();
    const waiter: Waiter = {
      ticket,
      candidate,
      since,
      queue: undefined,
      previous: undefined,
      next: undefined,
    };
    ticket.stage = stage;
    ticket.waiter = waiter;
    this.#weight += candidate.weight;
    admission.waiting++;
    (stage === STAGE.place ? this.placeless : this.turnless).add(waiter);
    this.watch(hold);
  }

  /** It has its place, and waits for its turn. */
  moveOn(waiter: Waiter): void {
    waiter.ticket.stage = STAGE.turn;
    this.placeless.remove(waiter);
    this.turnless.add(waiter);
  }

  /** It does not wait any more. */
  remove(waiter: Waiter): void {
    waiter.queue!.remove(waiter);
    waiter.ticket.waiter = undefined;
    waiter.ticket.admission.waiting--;
    this.#weight -= waiter.candidate.weight;
    if (this.length === 0) this.rest();
  }

  /** Those of one admission. */
  of(admission: Admission): Waiter[] {
    const found: Waiter[] = [];
    for (const queue of [this.placeless, this.turnless]) {
      queue.forEach((waiter) => {
        if (waiter.ticket.admission === admission) found.push(waiter);
      });
    }
    return found;
  }

  /** Has `retry` called in `ms`, or sooner when that was asked for before. */
  retryIn(ms: number): void {
    const at = this.#clock.now() + ms;
    if (at >= this.#retryAt || ms > TIMER_MAX) return;
    this.#clock.clear(this.#retryTimer);
    this.#retryAt = at;
    this.#retryTimer = this.#clock.setTimeout(() => {
      this.#retryAt = Infinity;
      this.#retry();
    }, Math.max(1, Math.ceil(ms)));
  }

  /** @param hold how long anybody may wait, in ms. */
  watch(hold: number): void {
    if (this.#timer !== undefined) return;
    const since = Math.min(
      this.turnless.first?.since ?? Infinity,
      this.placeless.first?.since ?? Infinity,
    );
    const left = since + hold - this.#clock.now();
    if (left > TIMER_MAX) return;
    this.#timer = this.#clock.setTimeout(() => this.#look(hold), Math.max(1, Math.ceil(left)));
  }

  /** Nobody is looked after. */
  rest(): void {
    this.#clock.clear(this.#timer);
    this.#clock.clear(this.#retryTimer);
    this.#timer = undefined;
    this.#retryAt = Infinity;
  }

  #look(hold: number): void {
    this.#timer = undefined;
    const now = this.#clock.now();
    for (const queue of [this.turnless, this.placeless]) {
      while (queue.first !== undefined && now - queue.first.since >= hold) this.#late(queue.first);
    }
    this.watch(hold);
  }
}
