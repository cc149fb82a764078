import type { Clock, Timer } from "../clock.ts";
import { Count } from "../count.ts";
import type { Limits } from "../plan.ts";
import type { Service } from "../service.ts";
import type { Counters, Meter } from "../totals.ts";
import type { StreamSession } from "./session.ts";

/** How long a session that has ended waits for its peer to close too, in ms; then it is closed. */
const LINGER = 5000;

/** The deadline that a session has missed. */
export type DeadlineName = "firstByte" | "lifetime" | "idle" | "deadline" | "linger";

/**
 * The sessions of one service and their deadlines. One timer for all, armed only while there is
 * something to watch; the hot path writes one number. A deadline strikes up to an eighth of its own
 * length (at least 10 ms, at most a second) late.
 */
export class Deadlines implements Meter {
  /** Milliseconds since the start, as of the last look: exact enough for deadlines, free to read. */
  now = 0;
  readonly #limits: Limits;
  readonly #missed: (session: StreamSession, deadline: DeadlineName) => void;
  readonly #clock: Clock;
  readonly #epoch: number;
  readonly #live: Count;
  readonly #always: boolean;
  /** Milliseconds between two looks; a session may want them closer. */
  #period: number;
  #first: StreamSession | undefined = undefined;
  #last: StreamSession | undefined = undefined;
  #timer: Timer | undefined = undefined;

  constructor(
    { plan: { limits }, clock }: Pick<Service, "plan" | "clock">,
    missed: (session: StreamSession, deadline: DeadlineName) => void,
  ) {
    this.#clock = clock;
    this.#epoch = clock.now();
    this.#live = new Count(clock);
    this.#limits = limits;
    this.#missed = missed;
    const shortest = Math.min(limits.firstByte, limits.lifetime, limits.idle);
    this.#always = shortest !== Infinity;
    this.#period = periodOf(Math.min(shortest, LINGER));
  }

  /** Sessions in the list. */
  get count(): number {
    return this.#live.value;
  }

  /** The exact time, on the same clock as {@link now}. */
  readClock(): number {
    return this.now = Math.floor(this.#clock.now() - this.#epoch);
  }

  add(session: StreamSession): void {
    session.previous = this.#last;
    if (this.#last === undefined) this.#first = session;
    else this.#last.next = session;
    this.#last = session;
    this.#live.up();
    if (this.#always) this.watch();
  }

  /** @returns false when it was not in the list any more. */
  remove(session: StreamSession): boolean {
    if (session.previous === undefined) {
      if (this.#first !== session) return false;
      this.#first = session.next;
    } else session.previous.next = session.next;
    if (session.next === undefined) this.#last = session.previous;
    else session.next.previous = session.previous;
    session.previous = session.next = undefined;
    if (this.#live.value === 1) this.stop();
    this.#live.down();
    return true;
  }

  /** Arms the timer: a session waits for something, `ms` at most. */
  watch(ms: number = Infinity): void {
    const period = periodOf(ms);
    if (period < this.#period) {
      this.#period = period;
      this.stop();
    }
    this.#timer ??= this.#clock.setInterval(() => this.#look(), this.#period);
  }

  stop(): void {
    this.#clock.clear(this.#timer);
    this.#timer = undefined;
  }

  /** Calls `visit` for each session, which may go while it is visited. */
  forEach(visit: (session: StreamSession) => void): void {
    const sessions: StreamSession[] = [];
    for (let session = this.#first; session !== undefined; session = session.next) {
      sessions.push(session);
    }
    sessions.forEach(visit);
  }

  settle(counters: Counters): void {
    for (let session = this.#first; session !== undefined; session = session.next) {
      session.settle(counters);
    }
  }

  /** Resolves with true when no session is left, with false when one is after `limit` ms. */
  empty(limit: number): Promise<boolean> {
    return this.#live.empty(limit);
  }

  #look(): void {
    const now = this.readClock();
    this.forEach((session) => {
      const missed = this.#check(session, now);
      if (missed !== undefined) this.#missed(session, missed);
    });
  }

  #check(session: StreamSession, now: number): DeadlineName | undefined {
    const { firstByte, lifetime, idle } = this.#limits;
    const age = now - session.opened;
    const due = session.due > 0 && now >= session.due;
    switch (session.phase) {
      case "ending":
        return now - session.active > LINGER ? "linger" : undefined;
      case "closed":
        return !session.gone && now - session.active > LINGER ? "linger" : undefined;
      case "verify":
        return age > lifetime ? "lifetime" : undefined;
      case "setup":
      case "served":
        if (age > lifetime) return "lifetime";
        if (due) return "deadline";
        if (session.bytesIn === 0 && age > firstByte) return "firstByte";
        return now - session.active > idle ? "idle" : undefined;
      default:
        return undefined;
    }
  }
}

/** How often a deadline of so many ms is looked after. */
function periodOf(ms: number): number {
  return Math.min(1000, Math.max(10, ms / 8));
}
