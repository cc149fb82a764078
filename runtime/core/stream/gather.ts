import type { Adapter } from "../contract.ts";

/** What has something to send at the end of this turn. */
export interface Flushable {
  /** A handler has been given what it asked for, and comes back to ask for more, or ends. */
  readonly isAtWork: boolean;
  flush(): void;
  /** The turn in which it had written its share is over. */
  rested(): void;
}

/** What a session has gathered leaves at once when it is so many bytes: memory stays bounded. */
export const BATCH = 64 * 1024;

/** So many of those who rest go on in one turn. */
const RESUMED = 8;

/**
 * What all sessions may send in one turn, in bytes, in such batches. Whoever has sent one when it is used up
 * rests, since others wait: it is about all, because a thousand who send much may come in one turn.
 */
const SHARE = RESUMED * BATCH;

/**
 * For so many microtasks without a write it is waited for handlers that are at work: what they await is
 * mostly there already, or takes a round of the event loop at least.
 */
const PATIENCE = 32;

/** For whoever else writes: an asynchronous hook that awaits room to send comes back within two. */
const SHORT_PATIENCE = 2;

/**
 * Collects who has written during one turn of the event loop, so that all that one session wrote
 * leaves in one system call. Inside a hook the turn ends with the hook, without timer or promise. In
 * pull form it ends when everybody who has written has asked for more, and waits; outside of both, or
 * when a handler does not come back, where {@link Adapter.turns} says. One for each server.
 */
export class Gather {
  /** Counts the writes of all sessions; they count it up. */
  writes = 0;
  readonly #defer: (callback: () => void) => void;
  readonly #giveWay: (callback: () => void) => void;
  readonly #byRound: boolean;
  /** Who has written; the first `#count` places count. The array is never shrunk: that would free it. */
  readonly #dirty: (Flushable | undefined)[] = [];
  #count = 0;
  #depth = 0;
  /** So many of them wait for what comes: those who were at work when they wrote. */
  #waiting = 0;
  /** Somebody has written who was not at work. */
  #others = false;
  #seen = 0;
  #hops = 0;
  #watching = false;
  readonly #resting: Flushable[] = [];
  /** Bytes sent in batches since {@link rested}, which comes in the turn after they are {@link SHARE}. */
  #spent = 0;
  #renewing = false;

  constructor({ defer, giveWay = defer, turns }: Pick<Adapter, "defer" | "giveWay" | "turns">) {
    this.#defer = defer;
    this.#giveWay = giveWay;
    this.#byRound = turns === "round";
  }

  /** A hook begins. Hooks may nest: a hook that ends another session, say. */
  enter(): void {
    this.#depth++;
  }

  /** The hook is over. */
  leave(): void {
    if (--this.#depth === 0 && this.#count > 0) this.#drain();
  }

  /** Asks for one `flush` of `session` at the end of the turn. */
  add(session: Flushable): void {
    this.#dirty[this.#count++] = session;
    if (this.#depth > 0) return;
    if (!this.#byRound && !session.isAtWork) this.#others = true;
    if (this.#watching) return;
    this.#watching = true;
    if (this.#byRound) return this.#defer(this.#end);
    this.#seen = this.writes;
    this.#hops = 0;
    queueMicrotask(this.#watch);
  }

  /** A session sends so many bytes at once. */
  spend(bytes: number): void {
    this.#spent += bytes;
    if (this.exhausted) this.#renewLater();
  }

  /** All that may be sent in this turn has been. */
  get exhausted(): boolean {
    return this.#spent >= SHARE;
  }

  /** Asks for `rested`, when others have had a turn, in order. */
  rest(session: Flushable): void {
    this.#resting.push(session);
    this.#renewLater();
  }

  #renewLater(): void {
    if (this.#renewing) return;
    this.#renewing = true;
    this.#giveWay(this.#renew);
  }

  readonly #renew = (): void => {
    this.#renewing = false;
    this.#spent = 0;
    for (const session of this.#resting.splice(0, RESUMED)) session.rested();
    if (this.#resting.length > 0) this.#renewLater();
  };

  readonly #watch = (): void => {
    if (this.#seen !== this.writes) {
      this.#seen = this.writes;
      this.#hops = 0;
    }
    while (this.#waiting < this.#count && !this.#dirty[this.#waiting]!.isAtWork) this.#waiting++;
    const nobodyAtWork = this.#waiting === this.#count;
    if (nobodyAtWork && !this.#others) return this.#end();
    const patience = nobodyAtWork ? SHORT_PATIENCE : PATIENCE;
    if (this.#hops++ < patience) queueMicrotask(this.#watch);
    else this.#end();
  };

  readonly #end = (): void => {
    this.#watching = false;
    this.#drain();
  };

  /** What is added meanwhile (by a flush that ends a session, say) comes last. */
  #drain(): void {
    for (let i = 0; i < this.#count; i++) {
      const session = this.#dirty[i]!;
      this.#dirty[i] = undefined;
      session.flush();
    }
    this.#count = this.#waiting = 0;
    this.#others = false;
  }
}

/** What one session has written, as one. */
export function join(first: Uint8Array, more: readonly Uint8Array[], length: number): Uint8Array {
  const joined = new Uint8Array(length);
  joined.set(first);
  let at = first.length;
  for (const bytes of more) {
    joined.set(bytes, at);
    at += bytes.length;
  }
  return joined;
}
