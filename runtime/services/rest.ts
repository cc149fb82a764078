/** A service whose rate was exceeded accepts nobody for a while: who connects waits in the kernel's queue. */
import type { Clock, Timer } from "../core/clock.ts";
import { messageOf } from "../core/errors.ts";
import type { Log } from "../core/log.ts";
import type { Sockets } from "./sockets.ts";

/** The service that rests. */
export interface Resting {
  become(state: "resting" | "running"): void;
  /** Newcomers are asked as before. */
  wake(): void;
  /** It cannot go on. */
  fail(reason: string): void;
  /** Makes a change in turn with the others, if it rests then. */
  inTurn(change: () => Promise<void>): Promise<void>;
}

export class Rest {
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #service: string;
  readonly #sockets: Pick<Sockets, "suspend" | "resume">;
  readonly #resting: Resting;
  #timer: Timer | undefined = undefined;
  /** Of the rest that has begun last, or the end of it. */
  #number = 0;

  constructor(
    clock: Clock,
    log: Log,
    service: string,
    sockets: Pick<Sockets, "suspend" | "resume">,
    resting: Resting,
  ) {
    this.#clock = clock;
    this.#log = log;
    this.#service = service;
    this.#sockets = sockets;
    this.#resting = resting;
  }

  begin(ms: number): void {
    this.#resting.become("resting");
    const own = ++this.#number;
    this.#resting.inTurn(async () => {
      await this.#sockets.suspend().catch(() => {
        // Without descriptors newcomers are refused one by one.
      });
      if (own !== this.#number) return;
      this.#log.emit("warn", "suspend", { service: this.#service, reason: "rate", forMs: ms });
      this.#timer = this.#clock.setTimeout(() => this.#over(), ms);
    }).catch(() => {
      // The service is stopping.
    });
  }

  #over(): void {
    const service = this.#service;
    this.#resting.inTurn(async () => {
      // Timers may be early by a part of a millisecond: who has waited in the queue would be refused.
      this.#resting.wake();
      await this.#sockets.resume();
      this.#resting.become("running");
      this.#log.emit("warn", "resume", { service, reason: "rate" });
    }).catch((error: unknown) => this.#resting.fail(messageOf(error)));
  }

  /** It is something else by now. */
  end(): void {
    this.#number++;
    this.#clock.clear(this.#timer);
  }
}
