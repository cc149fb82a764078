import type { CutReason } from "../admission/candidate.ts";
import { LAST_WORDS } from "../calls.ts";
import type { Clock } from "../clock.ts";
import type { Limits } from "../plan.ts";
import { isTooSlow, nextLook } from "../stream/progress.ts";
import { type Rules, Timers } from "../timers/timers.ts";
import { flowOf } from "./flow.ts";
import type { HttpSession } from "./session.ts";

type Missed = (session: HttpSession, reason: CutReason) => void;

/** The requests of one service that are under way, and their deadlines. One that is answered at once has none. */
export class HttpDeadlines extends Timers<HttpSession> {
  readonly #limits: Limits;
  readonly #clock: Clock;
  #sweeps = false;

  constructor(limits: Limits, clock: Clock, missed: Missed) {
    super(clock, new HttpRules(limits, missed));
    this.#limits = limits;
    this.#clock = clock;
  }

  /** Its turn has come. */
  begin(session: HttpSession): void {
    if (this.#limits.lifetime !== Infinity) this.touch(session);
    if (!this.#sweeps && this.#limits.progress.per !== Infinity) this.#sweepLater();
  }

  /** A hook has returned a promise; it is settled. */
  left(session: HttpSession): void {
    if (this.#limits.handler === Infinity) return;
    session.extra.called = this.readClock();
    this.touch(session);
  }

  back({ extra }: HttpSession): void {
    extra.called = Infinity;
  }

  /** Whoever is still there has a look at its `progress` from then on: most requests are gone long before. */
  #sweepLater(): void {
    this.#sweeps = true;
    const timer = this.#clock.setTimeout(() => {
      this.#sweeps = false;
      if (this.value === 0) return;
      this.forEach((session) => {
        if (session.permit.granted) this.touch(session);
      });
      this.#sweepLater();
    }, this.#limits.progress.per / 2);
    // Nobody waits for it, and the clock of a test has no such thing.
    (timer as { unref?: () => void }).unref?.();
  }
}

/** A peer that does not read would never hear of the end of a body; it has a moment for what it may hear. */
export function cutConnection(session: HttpSession, clock: Clock): void {
  const { side, status } = session;
  if (side.cut === undefined || session.closed) return;
  if (status === 0) return side.cut(session);
  clock.setTimeout(() => {
    if (!session.closed) side.cut!(session);
  }, LAST_WORDS);
}

class HttpRules implements Rules<HttpSession> {
  readonly #limits: Limits;
  readonly #missed: Missed;
  #slow = false;

  constructor(limits: Limits, missed: Missed) {
    this.#limits = limits;
    this.#missed = missed;
  }

  /** Nothing strikes a session that has been told. */
  due(session: HttpSession, now: number): number {
    if (session.more?.told === true) return Infinity;
    return Math.min(this.#lifetime(session), this.#handler(session), this.#progress(session, now));
  }

  strike(session: HttpSession): void {
    const late = this.#lifetime(session) <= this.#handler(session) ? "lifetime" : "handler";
    this.#missed(session, this.#slow ? "progress" : late);
  }

  #lifetime({ opened }: HttpSession): number {
    return opened + this.#limits.lifetime;
  }

  #handler({ more }: HttpSession): number {
    return (more?.called ?? Infinity) + this.#limits.handler;
  }

  #progress(session: HttpSession, now: number): number {
    const { progress } = this.#limits;
    const flow = progress.per === Infinity ? undefined : flowOf(session);
    this.#slow = flow !== undefined && isTooSlow(flow, progress, now);
    if (flow === undefined || this.#slow) return this.#slow ? now : Infinity;
    session.extra.mark = flow.mark;
    return nextLook(flow, progress, now);
  }
}
