import type { Limits } from "../plan.ts";
import { dueOfCalls, type Pending, type PendingHost } from "../pending.ts";
import type { Rules } from "../timers/timers.ts";
import { NOWHERE, type Timed } from "../timers/wheel.ts";
import type { DatagramSession } from "./session.ts";

/** What a datagram has while its hooks have not come back: most are done at once, and have none. */
export class Work implements Timed<Work>, PendingHost {
  readonly session: DatagramSession;
  /** When the datagram came, on the clock of the timers. */
  readonly opened: number;
  running = 0;
  calls: Pending | undefined = undefined;
  previous: Work | undefined = undefined;
  next: Work | undefined = undefined;
  slot: number = NOWHERE;

  constructor(session: DatagramSession, opened: number) {
    this.session = session;
    this.opened = opened;
  }
}

/** The deadlines of datagrams: `lifetime`, from the arrival on, and `handler`. */
export class WorkRules implements Rules<Work> {
  readonly #limits: Limits;
  readonly #missed: (work: Work, reason: "lifetime" | "handler") => void;

  constructor(limits: Limits, missed: (work: Work, reason: "lifetime" | "handler") => void) {
    this.#limits = limits;
    this.#missed = missed;
  }

  due(work: Work): number {
    return Math.min(this.#lifetime(work), this.#handler(work));
  }

  strike(work: Work): void {
    this.#missed(work, this.#lifetime(work) <= this.#handler(work) ? "lifetime" : "handler");
  }

  #lifetime({ session, opened }: Work): number {
    return session.over ? Infinity : opened + this.#limits.lifetime;
  }

  #handler({ calls }: Work): number {
    return calls === undefined ? Infinity : dueOfCalls(calls, this.#limits.handler);
  }
}
