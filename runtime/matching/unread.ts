/** Peers who come by descriptor, and are told apart with MSG_PEEK of recv(2): whoever serves them reads all of it itself. */
import type { Descriptors } from "../core/descriptors.ts";
import { messageOf } from "../core/errors.ts";
import type { Dispatcher } from "../workers/dispatcher.ts";
import type { PendingSession } from "../workers/pending.ts";
import {
  type Crossroads,
  DRAIN,
  FULL,
  MOST,
  NOBODY,
  NOTHING,
  type Turned,
  type Undecided,
} from "./crossroads.ts";

/** What it needs of descriptors. */
type Calls = Pick<Descriptors, "peek" | "watchArrivals">;

const head = new Uint8Array(new ArrayBuffer(MOST));

export class UnreadPeers {
  /** Is asked by whoever knows that the next one to arrive has been silent for so long already, in ms. */
  silence = 0;
  readonly #crossroads: Crossroads;
  readonly #dispatcher: Dispatcher;
  readonly #descriptors: Calls;
  readonly #undecided: Map<PendingSession, Undecided> = new Map();

  constructor(crossroads: Crossroads, dispatcher: Dispatcher, descriptors: Calls) {
    this.#crossroads = crossroads;
    this.#dispatcher = dispatcher;
    this.#descriptors = descriptors;
  }

  /** One that is let in. */
  take(session: PendingSession): void {
    if (this.#look(session, false)) return;
    const { waiting } = this.#crossroads;
    if (waiting.full) return this.#dispatcher.refuse(session, FULL);
    const watch = (ended: boolean): void => void this.#look(session, ended);
    session.unwatch = this.#descriptors.watchArrivals(session.fd, watch);
    if (session.unwatch === undefined) return this.#dispatcher.refuse(session, FULL);
    const one: Undecided = {
      since: this.#dispatcher.service.clock.now() - this.silence,
      late: () => void this.#look(session, true),
      dismiss: () => this.#refuse(session, DRAIN),
    };
    this.#undecided.set(session, one);
    waiting.add(one);
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
      this.#refuse(session, NOBODY, { message: messageOf(error) });
      return true;
    }
    const said = count > 0 ? head.subarray(0, count) : NOTHING;
    const found = this.#crossroads.decide(said, last || count === 0 || count === MOST);
    if (found === undefined) return false;
    if (typeof found === "number") this.#lead(session, found);
    else this.#refuse(session, ...found);
    return true;
  }

  #lead(session: PendingSession, index: number): void {
    this.#leave(session);
    const { fd, remote, local } = session;
    const why = this.#crossroads.lead(index, { fd, origin: { remote, local } });
    if (why !== undefined) return this.#dispatcher.refuse(session, ...why);
    // It is not ours any more.
    session.fd = -1;
    this.#dispatcher.over(session);
  }

  #refuse(session: PendingSession, ...why: Turned): void {
    this.#leave(session);
    this.#dispatcher.refuse(session, ...why);
  }

  #leave(session: PendingSession): void {
    session.unwatch?.();
    session.unwatch = undefined;
    const one = this.#undecided.get(session);
    if (one === undefined) return;
    this.#undecided.delete(session);
    this.#crossroads.waiting.delete(one);
  }
}
