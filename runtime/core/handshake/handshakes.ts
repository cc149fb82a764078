/**
 * The handshakes of one service: so many are under way at once ({@link Limits.handshakes}), the others wait unread, in
 * their order.
 *
 * A handshake costs its client next to nothing when it is never finished. So one that is under way has its place for
 * sure only as long as handshakes take here: when others wait, the oldest gives way once it has had a multiple of
 * that. Thus silent clients, however many, hold up nobody for long, and a rush of good ones, which all come on, is
 * served in order.
 */
import { type Clock, SYSTEM_CLOCK, type Timer } from "../clock.ts";
import type { StreamSession } from "../stream/session.ts";
import type { TlsContext, TlsServerContext } from "../tls.ts";
import { Handshake } from "./handshake.ts";
import type { StartTls } from "./start.ts";

/** One of them, whatever is served after it. */
export interface Awaited {
  /** When it was begun, in ms of the clock. */
  readonly begun: number;
  /** It has its place. */
  begin(now: number): void;
  /** It waits, unread. */
  pause(): void;
  /** It has taken too long for others to wait for. */
  giveWay(): void;
}

/** So many times what handshakes take here; but no less and no more than so many ms. */
const PATIENCE = { times: 4, least: 500, most: 2000 } as const;
/** What the last handshake counts for in what they take. */
const WEIGHT = 1 / 8;

export class Handshakes {
  /** What begins one in the middle of a session. */
  readonly start: StartTls;
  readonly #most: number;
  readonly #clock: Clock;
  /** In the order in which they have begun; in that in which they came. */
  readonly #underWay: Set<Awaited> = new Set();
  readonly #waiting: Set<Awaited> = new Set();
  /** How long one takes, smoothed, in ms. */
  #usual = 0;
  #timer: Timer | undefined = undefined;

  /** @param most at once, at least 1. */
  constructor(most: number, start: StartTls, clock: Clock = SYSTEM_CLOCK) {
    this.#most = most;
    this.start = start;
    this.#clock = clock;
  }

  /** How many are under way; how many wait. */
  get counts(): readonly [underWay: number, waiting: number] {
    return [this.#underWay.size, this.#waiting.size];
  }

  /** A session of an endpoint with TLS has come; {@link Handshake.enter} when its turn has. */
  await(session: StreamSession, context: TlsServerContext): Handshake {
    return new Handshake(this, session, context, false);
  }

  /** A plugin begins one in the middle of a session. @param context undefined where it is still to be made. */
  interrupt(session: StreamSession, context: TlsContext | undefined): Handshake {
    return new Handshake(this, session, context, !session.reads);
  }

  // For handshakes alone.

  enter(handshake: Awaited): void {
    if (this.#underWay.size < this.#most && this.#waiting.size === 0) {
      return this.#begin(handshake);
    }
    handshake.pause();
    this.#waiting.add(handshake);
    this.#look();
  }

  /** @param done it has come to its end. What others have taken says nothing. */
  leave(handshake: Awaited, done = false): void {
    if (this.#waiting.delete(handshake) || !this.#underWay.delete(handshake)) return;
    if (done) this.#usual += (this.#clock.now() - handshake.begun - this.#usual) * WEIGHT;
    if (this.#waiting.size > 0) this.#look();
  }

  #begin(handshake: Awaited): void {
    this.#underWay.add(handshake);
    handshake.begin(this.#clock.now());
  }

  /** Lets in who waits, as far as there is room. */
  #look(): void {
    while (this.#waiting.size > 0 && this.#hasRoom()) {
      const [next] = this.#waiting;
      this.#waiting.delete(next!);
      this.#begin(next!);
    }
    if (this.#waiting.size > 0) return;
    this.#clock.clear(this.#timer);
    this.#timer = undefined;
  }

  /** Makes some, where the oldest has had its time; else looks again when it has. */
  #hasRoom(): boolean {
    if (this.#underWay.size < this.#most) return true;
    const [oldest] = this.#underWay;
    const { times, least, most } = PATIENCE;
    const patience = Math.min(most, Math.max(least, times * this.#usual));
    const left = oldest!.begun + patience - this.#clock.now();
    if (left <= 0) {
      this.#underWay.delete(oldest!);
      oldest!.giveWay();
      return true;
    }
    this.#timer ??= this.#clock.setTimeout(() => {
      this.#timer = undefined;
      this.#look();
    }, left);
    return false;
  }
}
