/**
 * Where peers of one address part: each is looked at until its first bytes say which service it is for, and is handed
 * to that one, unread.
 *
 *     ADMITTED → enough said? → the service's own RULES → LIMITS → …
 *                  └─ waits, in bounds ─ in time: whoever is open counts as no
 */
import type { Refusal } from "../core/admission/candidate.ts";
import type { Timer } from "../core/clock.ts";
import type { Descriptors } from "../core/descriptors.ts";
import { messageOf } from "../core/errors.ts";
import type { MatchPlan } from "../core/prologue/match-plan.ts";
import { MOST_HELLO } from "../core/prologue/client-hello.ts";
import { firstMatch, type Matcher } from "../core/prologue/match.ts";
import type { RouteCount } from "../core/totals.ts";
import type { Receiver } from "../services/contract.ts";
import type { Dispatcher } from "../workers/dispatcher.ts";
import type { PendingSession } from "../workers/pending.ts";
import { matcherOf } from "./matchers.ts";

/** Connections of one service that have not said enough. Whoever comes beyond is refused. */
const MOST_WAITING = 4096;

/** It is none of those that are served here. */
const NOBODY: Refusal = { rule: "match" };
/** There is no room for one more that waits. */
const FULL: Refusal = { limit: "waiting" };
const DRAIN: Refusal = { limit: "drain" };

/** What it needs of descriptors. */
type Calls = Pick<Descriptors, "peek" | "watchArrivals">;

const head = new Uint8Array(new ArrayBuffer(MOST_HELLO));
const NOTHING = head.subarray(0, 0);

export class Crossroads {
  /** Is asked by whoever knows that the next one to arrive has been silent for so long already, in ms. */
  silence = 0;
  readonly #plan: MatchPlan;
  readonly #dispatcher: Dispatcher;
  readonly #descriptors: Calls;
  readonly #receiver: (service: string) => Receiver | undefined;
  readonly #matchers: readonly Matcher[];
  readonly #counts: readonly RouteCount[];
  /** With the time when each is due, which is that of their arrival, nearly. */
  readonly #waiting: Map<PendingSession, number> = new Map();
  #timer: Timer | undefined = undefined;

  constructor(
    plan: MatchPlan,
    dispatcher: Dispatcher,
    descriptors: Calls,
    receiver: (service: string) => Receiver | undefined,
    matchers: ReadonlyMap<string, Matcher> | undefined,
  ) {
    const { service } = dispatcher;
    this.#plan = plan;
    this.#dispatcher = dispatcher;
    this.#descriptors = descriptors;
    this.#receiver = receiver;
    const report = service.report.bind(service);
    this.#matchers = plan.routes.map(({ when }) =>
      matcherOf(when, matchers, (error) => report(error))
    );
    this.#counts = plan.routes.map(({ text, service: to }) => service.totals.route(text, to));
  }

  /** One that is let in. */
  take(session: PendingSession): void {
    if (this.#look(session, false)) return;
    if (this.#waiting.size >= MOST_WAITING) return this.#dispatcher.refuse(session, FULL);
    const watch = (ended: boolean): void => void this.#look(session, ended);
    session.unwatch = this.#descriptors.watchArrivals(session.fd, watch);
    if (session.unwatch === undefined) return this.#dispatcher.refuse(session, FULL);
    const { clock } = this.#dispatcher.service;
    this.#waiting.set(session, clock.now() + this.#plan.wait - this.silence);
    this.#arm();
  }

  /** Refuses who waits. */
  close(): void {
    const { clock } = this.#dispatcher.service;
    clock.clear(this.#timer);
    this.#timer = undefined;
    for (const session of [...this.#waiting.keys()]) this.#refuse(session, DRAIN);
  }

  /**
   * Whether it is decided.
   *
   * @param last nothing more is waited for.
   */
  #look(session: PendingSession, last: boolean): boolean {
    if (session.phase === "over") return true;
    let count: number;
    try {
      count = this.#descriptors.peek(session.fd, head);
    } catch (error) {
      // It has gone.
      this.#refuse(session, NOBODY, messageOf(error));
      return true;
    }
    const bytes = count > 0 ? head.subarray(0, count) : NOTHING;
    const all = last || count === 0 || count === head.length;
    // Before anything is said, nobody is asked whether that is enough.
    const found = count > 0 || all ? firstMatch(this.#matchers, bytes, all) : "undecided";
    if (found === "undecided") return false;
    if (found < 0) this.#refuse(session, NOBODY, count > 0 ? undefined : "it has said nothing");
    else this.#pass(session, found);
    return true;
  }

  #pass(session: PendingSession, index: number): void {
    this.#leave(session);
    const { service: name, tls } = this.#plan.routes[index]!;
    const { fd, remote, local } = session;
    const receiver = this.#receiver(name);
    if (receiver === undefined) {
      const message = `the service ${JSON.stringify(name)} does not run`;
      return this.#dispatcher.refuse(session, NOBODY, { message });
    }
    if (!receiver.receive(fd, { remote, local }, tls)) {
      return this.#dispatcher.refuse(session, FULL);
    }
    // It is not ours any more.
    session.fd = -1;
    this.#counts[index]!.count++;
    this.#dispatcher.service.countServed();
    this.#dispatcher.over(session);
  }

  #refuse(session: PendingSession, why: Refusal, message?: string): void {
    this.#leave(session);
    this.#dispatcher.refuse(session, why, message === undefined ? undefined : { message });
  }

  #leave(session: PendingSession): void {
    session.unwatch?.();
    session.unwatch = undefined;
    this.#waiting.delete(session);
  }

  #arm(): void {
    const [first] = this.#waiting.values();
    if (this.#timer !== undefined || first === undefined) return;
    const { clock } = this.#dispatcher.service;
    this.#timer = clock.setTimeout(() => {
      this.#timer = undefined;
      this.#strike();
      this.#arm();
    }, Math.max(1, first - clock.now()));
  }

  #strike(): void {
    const now = this.#dispatcher.service.clock.now();
    for (const [session, due] of this.#waiting) {
      if (due > now) return;
      this.#look(session, true);
    }
  }
}
