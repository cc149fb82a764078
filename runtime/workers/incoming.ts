/** Streams on their way to a worker: the messages that tell of them, and the descriptors beside these. */
import { clearTimeout, setTimeout } from "node:timers";
import type { Descriptors } from "../core/descriptors.ts";
import { isShortage } from "../core/errors.ts";

/** Milliseconds until a descriptor that there was no number for is asked for again: at first, doubled, at most. */
const PAUSE_FIRST = 5;
const PAUSE_LAST = 500;

/**
 * Joins each message with its descriptor, in their order. When this process has no number left for a
 * descriptor it stays where it is, and its message with it: what comes later waits behind them.
 */
export class IncomingStreams<Message extends { readonly id: number }> {
  readonly #descriptors: Pick<Descriptors, "take">;
  readonly #from: number;
  readonly #serve: (message: Message, fd: number) => void;
  readonly #failed: (error: unknown, fatal: boolean) => void;
  #queue: Message[] = [];
  #pause = PAUSE_FIRST;
  #timer: ReturnType<typeof setTimeout> | undefined = undefined;

  /**
   * @param from the descriptor channel.
   * @param failed is told of a shortage, once; and of what is `fatal`: nobody knows any more which
   * descriptor belongs to which message.
   */
  constructor(
    descriptors: Pick<Descriptors, "take">,
    from: number,
    serve: (message: Message, fd: number) => void,
    failed: (error: unknown, fatal: boolean) => void,
  ) {
    this.#descriptors = descriptors;
    this.#from = from;
    this.#serve = serve;
    this.#failed = failed;
  }

  add(message: Message): void {
    if (this.#queue.push(message) === 1) this.#next();
  }

  /** Takes no more. */
  close(): void {
    this.#queue = [];
    clearTimeout(this.#timer);
  }

  readonly #next = (): void => {
    for (let message = this.#queue[0]; message !== undefined; message = this.#queue[0]) {
      let fd: number;
      try {
        fd = this.#descriptors.take(this.#from, true, message.id);
      } catch (error) {
        return this.#stop(error);
      }
      this.#queue.shift();
      this.#pause = PAUSE_FIRST;
      this.#serve(message, fd);
    }
  };

  #stop(error: unknown): void {
    if (!isShortage(error)) {
      this.close();
      return this.#failed(error, true);
    }
    if (this.#pause === PAUSE_FIRST) this.#failed(error, false);
    this.#timer = setTimeout(this.#next, this.#pause);
    this.#pause = Math.min(2 * this.#pause, PAUSE_LAST);
  }
}
