/** A service whose rate was exceeded accepts nobody for a while: who connects waits in the kernel's queue. */
import type { Clock, Timer } from "../core/clock.ts";
import { messageOf } from "../core/errors.ts";
import type { Log } from "../core/log.ts";
import type { Sockets } from "./sockets.ts";

/** The service that rests. */
export interface Resting {
  become(state: "resting" | "running"): void;
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
    const service = this.#service;
    this.#resting.become("resting");
    this.#log.emit("warn", "suspend", { service, reason: "rate", forMs: ms });
    this.#timer = this.#clock.setTimeout(() => this.#over(), ms);
    this.#resting.inTurn(() => this.#sockets.suspend()).catch(() => {
      // Without descriptors newcomers are refused one by one.
    });
  }

  #over(): void {
    const service = this.#service;
    this.#resting.inTurn(async () => {
      await this.#sockets.resume();
      this.#resting.become("running");
      this.#log.emit("warn", "resume", { service, reason: "rate" });
    }).catch((error: unknown) => this.#resting.fail(messageOf(error)));
  }

  /** It is something else by now. */
  end(): void {
    this.#clock.clear(this.#timer);
  }
}
