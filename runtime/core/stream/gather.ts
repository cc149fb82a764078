import type { Adapter } from "../contract.ts";

/** What has something to send at the end of this turn. */
export interface Flushable {
  flush(): void;
  /** The turn in which it had written its share is over. */
  rested(): void;
}

/**
 * Where turns end with the microtasks, nobody has written for so many of them: a handler that awaits
 * what is there already (room to send, then the next line) comes back within two.
 */
const PATIENCE = 2;

/**
 * Collects who has written during one turn of the event loop, so that all that one session wrote
 * leaves in one system call. Inside a hook the turn ends with the hook, without timer or promise;
 * outside of hooks (in pull form, after an `await`) where {@link Adapter.turns} says. One for each server.
 */
export class Gather {
  /** Counts the writes of all sessions; they count it up. */
  writes = 0;
  readonly #defer: (callback: () => void) => void;
  readonly #byRound: boolean;
  /** Who has written; the first `#count` places count. The array is never shrunk: that would free it. */
  readonly #dirty: (Flushable | undefined)[] = [];
  #count = 0;
  #depth = 0;
  #seen = 0;
  #patience = 0;
  #watching = false;
  #resting: Flushable[] = [];

  constructor({ defer, turns }: Pick<Adapter, "defer" | "turns">) {
    this.#defer = defer;
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
    if (this.#depth > 0 || this.#watching) return;
    this.#watching = true;
    if (this.#byRound) return this.#defer(this.#end);
    this.#seen = this.writes;
    this.#patience = PATIENCE;
    queueMicrotask(this.#watch);
  }

  /** Asks for `rested` after everybody else has had a turn. */
  rest(session: Flushable): void {
    if (this.#resting.push(session) === 1) this.#defer(this.#rested);
  }

  readonly #rested = (): void => {
    const resting = this.#resting;
    this.#resting = [];
    for (const session of resting) session.rested();
  };

  readonly #watch = (): void => {
    if (this.#seen !== this.writes) {
      this.#seen = this.writes;
      this.#patience = PATIENCE;
    }
    if (this.#patience-- > 0) queueMicrotask(this.#watch);
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
    this.#count = 0;
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
