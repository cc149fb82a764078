import type { Limits, Progress } from "../plan.ts";
import type { Service } from "../service.ts";
import { dueOfCalls } from "../pending.ts";
import { type Rules, Timers } from "../timers/timers.ts";
import type { Meter, Totals } from "../totals.ts";
import { isTooSlow, nextLook } from "./progress.ts";
import type { StreamSession } from "./session.ts";

/** How long a session that has ended waits for its peer to close too, in ms; then it is closed. */
const LINGER = 5000;

/** Something has to go out within that time, where nobody says how much. */
const REST: Progress = { bytes: 1, per: LINGER };

/** An end that a session has of its own: by its plugin, or because the hours are over in which it may be here. */
export interface End {
  at: number;
  /** As in its `close` record. */
  readonly reason: string;
  readonly next: End | undefined;
}

/** A deadline has struck: `firstByte`, `lifetime`, `idle`, `progress`, `handler`, `linger`, the reason of an end. */
export type Missed = (session: StreamSession, reason: string) => void;

/**
 * The sessions of one service and their deadlines. The hot path writes one number. A deadline strikes up
 * to an eighth of its own length (at least 10 ms, at most a second) late.
 */
export class Deadlines extends Timers<StreamSession> implements Meter {
  constructor({ plan: { limits }, clock }: Pick<Service, "plan" | "clock">, missed: Missed) {
    super(clock, new StreamRules(limits, missed));
    // `idle` counts from what {@link now} was at the last byte.
    if (limits.idle !== Infinity) this.keepTime(Math.min(1000, Math.max(10, limits.idle / 8)));
  }

  /**
   * The session ends in so many ms, whatever happens: what was written is sent, and `reason` is in its
   * `close` record. A later call with the same reason counts anew, Infinity lifts it; the first of several
   * ends counts.
   */
  endIn(session: StreamSession, reason: string, ms: number): void {
    const at = ms === Infinity ? Infinity : this.readClock() + Math.max(1, Math.ceil(ms));
    let end = session.ends;
    while (end !== undefined && end.reason !== reason) end = end.next;
    if (end !== undefined) end.at = at;
    else if (at === Infinity) return;
    else session.ends = { at, reason, next: session.ends };
    if (session.phase !== "waiting") this.touch(session);
  }

  settle({ counters }: Totals): void {
    this.each((session) => session.settle(counters));
  }
}

/** When something strikes of one session. */
class StreamRules implements Rules<StreamSession> {
  readonly #limits: Limits;
  readonly #missed: Missed;
  /** Of the session that was looked at last: what is due first, and what it is. */
  #due = Infinity;
  #reason = "";

  constructor(limits: Limits, missed: Missed) {
    this.#limits = limits;
    this.#missed = missed;
  }

  due(session: StreamSession, now: number): number {
    this.#due = Infinity;
    const { lifetime, handler } = this.#limits;
    const { phase, calls } = session;
    if (calls !== undefined) this.#sooner(dueOfCalls(calls, handler), "handler");
    if (session.killed) return this.#due;
    switch (phase) {
      case "waiting":
        break;
      case "verify":
        this.#sooner(session.opened + lifetime, "lifetime");
        break;
      case "handshake":
      case "setup":
      case "served":
        this.#sooner(session.opened + lifetime, "lifetime");
        for (let end = session.ends; end !== undefined; end = end.next) {
          this.#sooner(end.at, end.reason);
        }
        if (phase !== "handshake") this.#dueOfBytes(session, now);
        break;
      case "ending":
        this.#dueOfRest(session, now);
        break;
      case "closed":
        if (!session.gone) this.#sooner(session.active + LINGER, "linger");
    }
    return this.#due;
  }

  strike(session: StreamSession): void {
    this.#missed(session, this.#reason);
  }

  #sooner(at: number, reason: string): void {
    if (at >= this.#due) return;
    this.#due = at;
    this.#reason = reason;
  }

  #dueOfBytes(session: StreamSession, now: number): void {
    const { firstByte, firstByteSaid, idle, progress } = this.#limits;
    const silent = session.bytesIn === 0 && (firstByteSaid || session.bytesOut === 0);
    if (silent) this.#sooner(session.opened + firstByte, "firstByte");
    const measured = progress.per !== Infinity;
    if (measured) this.#dueOfProgress(session, now);
    // While there is something to send it is for `progress` to say whether it goes out.
    if (idle === Infinity) return;
    const sends = measured && session.unsent > 0;
    this.#sooner((sends ? now : session.active) + idle, "idle");
  }

  #dueOfProgress(session: StreamSession, now: number): void {
    const { progress } = this.#limits;
    if (isTooSlow(session, progress, now)) this.#sooner(now, "progress");
    else this.#sooner(nextLook(session, progress, now), "progress");
  }

  /** It has ended: what it has written goes out, as fast as `progress` says; then its peer may close, too. */
  #dueOfRest(session: StreamSession, now: number): void {
    const { mark } = session;
    if (session.unsent === 0) {
      if (mark !== undefined && mark.outSince >= 0) session.active = now;
      if (mark !== undefined) mark.outSince = NaN;
      return this.#sooner(session.active + LINGER, "linger");
    }
    const { progress } = this.#limits;
    if (progress.per !== Infinity) this.#dueOfProgress(session, now);
    else if (isTooSlow(session, REST, now)) this.#sooner(now, "linger");
    // When it has gone out is known to a second.
    this.#sooner(now + LINGER / 5, "linger");
  }
}
