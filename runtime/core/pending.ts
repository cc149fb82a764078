/** Calls of a session's hooks that have not come back, and `limits.handler`, which says how long that may take. */
import { LAST_WORDS } from "./calls.ts";

/** Of one session, where there is a limit. */
export interface Pending {
  /** When each of them was called, from the first on; how a call is known when it comes back. */
  readonly since: number[];
  /** The session has been told to end, and its calls have until then to come back. */
  grace: number;
}

/** Whose calls they are. */
export interface PendingHost {
  calls: Pending | undefined;
  /** How many have not come back: the end waits for them. */
  running: number;
}

/** What {@link Calls} needs of the timers of its hosts. */
interface Clockwork<Host> {
  readClock(): number;
  touch(host: Host): void;
}

/** The calls of all sessions of one way. */
export class Calls<Host extends PendingHost> {
  readonly #timers: Clockwork<Host>;
  readonly #limited: boolean;

  constructor(timers: Clockwork<Host>, limit: number) {
    this.#timers = timers;
    this.#limited = limit !== Infinity;
  }

  /** A hook has returned a promise. @returns by what {@link back} knows it. */
  left(host: Host): number {
    if (!this.#limited) return host.running++;
    host.running++;
    const now = this.#timers.readClock();
    (host.calls ??= { since: [], grace: 0 }).since.push(now);
    this.#timers.touch(host);
    return now;
  }

  /** It is settled. @returns false of one that was given up. */
  back(host: Host, call: number): boolean {
    if (this.#limited) {
      const { since } = host.calls!;
      const at = since.indexOf(call);
      if (at < 0) return false;
      since.splice(at, 1);
    }
    host.running--;
    return true;
  }

  /** They have taken too long: its session is told to end, and they have a little more time. */
  warn(host: Host): void {
    host.calls!.grace = this.#timers.readClock() + LAST_WORDS;
  }

  /** Nobody waits for them any more. There is no way to stop them. */
  giveUp(host: Host): void {
    host.calls!.since.length = 0;
    host.running = 0;
  }
}

/** When the oldest one has taken too long. */
export function dueOfCalls({ since, grace }: Pending, limit: number): number {
  return since.length === 0 ? Infinity : Math.max(since[0]! + limit, grace);
}
