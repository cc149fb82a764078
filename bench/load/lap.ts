/** A lap of the generator on Bun. */

/** A closed loop: whatever is answered is asked again, until the time is over. */
export interface Traffic {
  open(): Promise<void>;
  /** Runs for `ms`, then waits for the last answer: nothing is under way before and after. */
  run(ms: number): Promise<Count>;
  close(): void;
}

/** What came back. */
export interface Count {
  readonly messages: number;
  readonly ms: number;
}

/** Answers that are late by this much have been lost. */
export const PATIENCE = 5_000;

/** The end of a run: the time is over, and every socket has said that its last answer is here. */
export class Lap {
  over = false;
  messages = 0;
  #busy: number;
  readonly #began = performance.now();
  readonly #settle: PromiseWithResolvers<Count>;
  readonly #timer: ReturnType<typeof setTimeout>;
  readonly #patience: ReturnType<typeof setTimeout>;

  constructor(sockets: number, ms: number) {
    this.#busy = sockets;
    this.#settle = Promise.withResolvers<Count>();
    this.#timer = setTimeout(() => this.over = true, ms);
    this.#patience = setTimeout(() => {
      this.fail(new Error(`${this.#busy} of ${sockets} sockets wait in vain for an answer`));
    }, ms + PATIENCE);
  }

  get count(): Promise<Count> {
    return this.#settle.promise;
  }

  /** One socket has its last answer. */
  done(): void {
    if (--this.#busy > 0) return;
    this.#stop();
    this.#settle.resolve({ messages: this.messages, ms: performance.now() - this.#began });
  }

  fail(error: Error): void {
    this.#stop();
    this.#settle.reject(error);
  }

  #stop(): void {
    clearTimeout(this.#timer);
    clearTimeout(this.#patience);
  }
}
