/** In which pieces, and when, what a peer sends reaches the service. */
import { turn } from "./activity.ts";
import { concat } from "./bytes.ts";

/** What a connection takes. */
export interface Wire {
  write(bytes: Uint8Array): void;
  end(): void;
  reset(): void;
}

/** Between a peer and its connection. */
export interface Outbox extends Wire {
  /** The peer waits for an answer: what was kept back leaves now. */
  flush(): void;
}

/** Cuts what is sent by one call. */
export type Split = (bytes: Uint8Array) => readonly Uint8Array[];

export const whole: Split = (bytes) => [bytes];

export const byteByByte: Split = (bytes) =>
  Array.from(bytes, (_, at) => bytes.subarray(at, at + 1));

/** Cuts once, after so many bytes of all that is sent. */
export function cutAfter(position: number): Split {
  let sent = 0;
  return (bytes) => {
    const at = position - sent;
    sent += bytes.length;
    return at > 0 && at < bytes.length ? [bytes.subarray(0, at), bytes.subarray(at)] : [bytes];
  };
}

/** Each piece at once. */
export function direct(wire: Wire, split: Split): Outbox {
  return {
    write: (bytes) => split(bytes).forEach((piece) => wire.write(piece)),
    end: () => wire.end(),
    reset: () => wire.reset(),
    flush() {},
  };
}

/** What is sent without waiting for an answer in between arrives as one piece. */
export function coalescing(wire: Wire): Outbox {
  let kept: Uint8Array[] = [];
  const flush = (): void => {
    if (kept.length > 0) wire.write(concat(kept));
    kept = [];
  };
  return {
    write: (bytes) => void kept.push(bytes),
    end() {
      flush();
      wire.end();
    },
    reset() {
      flush();
      wire.reset();
    },
    flush,
  };
}

/** One piece of each peer in each round of the event loop. */
export class Pacer {
  readonly #queues: (() => void)[][] = [];
  #running = false;

  outbox(wire: Wire, split: Split): Outbox {
    const queue: (() => void)[] = [];
    this.#queues.push(queue);
    const add = (action: () => void): void => {
      queue.push(action);
      void this.#run();
    };
    return {
      write: (bytes) => split(bytes).forEach((piece) => add(() => wire.write(piece))),
      end: () => add(() => wire.end()),
      reset: () => add(() => wire.reset()),
      flush() {},
    };
  }

  async #run(): Promise<void> {
    if (this.#running) return;
    this.#running = true;
    // Who writes in the same turn has the same start.
    await Promise.resolve();
    while (this.#queues.some(({ length }) => length > 0)) {
      for (const queue of this.#queues) queue.shift()?.();
      await turn();
    }
    this.#running = false;
  }
}
