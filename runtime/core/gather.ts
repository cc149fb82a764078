/** What has something to send at the end of this turn. */
export interface Flushable {
  flush(): void;
  /** The turn in which it had written its share is over. */
  rested(): void;
}

/**
 * Collects who has written during one turn of the event loop, so that all that one session wrote
 * leaves in one system call. Inside a hook the turn ends with the hook, without timer or promise;
 * outside of hooks the adapter's `defer` ends it. One for each server.
 */
export class Gather {
  readonly #defer: (callback: () => void) => void;
  readonly #flush: () => void;
  #dirty: Flushable[] = [];
  #spare: Flushable[] = [];
  #resting: Flushable[] = [];
  #depth = 0;
  #deferred = false;

  constructor(defer: (callback: () => void) => void) {
    this.#defer = defer;
    this.#flush = () => {
      this.#deferred = false;
      this.#drain();
      const resting = this.#resting;
      this.#resting = [];
      for (const session of resting) session.rested();
    };
  }

  /** A hook begins. Hooks may nest: a hook that ends another session, say. */
  enter(): void {
    this.#depth++;
  }

  /** The hook is over. */
  leave(): void {
    if (--this.#depth === 0 && this.#dirty.length > 0) this.#drain();
  }

  /** Asks for one `flush` of `session` at the end of the turn. */
  add(session: Flushable): void {
    this.#dirty.push(session);
    if (this.#depth === 0) this.#awaitEnd();
  }

  /** Asks for `rested` when the turn is over: others come first. */
  rest(session: Flushable): void {
    this.#resting.push(session);
    this.#awaitEnd();
  }

  #awaitEnd(): void {
    if (this.#deferred) return;
    this.#deferred = true;
    this.#defer(this.#flush);
  }

  #drain(): void {
    const dirty = this.#dirty;
    this.#dirty = this.#spare;
    for (let i = 0; i < dirty.length; i++) dirty[i]!.flush();
    dirty.length = 0;
    this.#spare = dirty;
  }
}
