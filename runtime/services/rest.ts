/** A service whose rate was exceeded accepts nobody for a while: who connects waits in the kernel's queue. */
import type { Clock, Timer } from "../core/clock.ts";
import type { Log } from "../core/log.ts";
import { messageOf } from "../core/errors.ts";

/** What a rest does with its service. Each is done in turn with the other changes, and while it rests only. */
export interface Resting {
  /** It accepts nobody. @throws where its sockets have no descriptors: then newcomers are asked one by one. */
  suspend(): Promise<void>;
  /** It is a service that runs. */
  resume(): Promise<void>;
  /** It cannot be. */
  fail(reason: string): void;
  inTurn(change: () => Promise<void>): Promise<void>;
}

export class Rest {
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #service: string;
  readonly #resting: Resting;
  #timer: Timer | undefined = undefined;

  constructor(clock: Clock, log: Log, service: string, resting: Resting) {
    this.#clock = clock;
    this.#log = log;
    this.#service = service;
    this.#resting = resting;
  }

  begin(ms: number): void {
    const service = this.#service;
    this.#log.emit("warn", "suspend", { service, reason: "rate", forMs: ms });
    this.#timer = this.#clock.setTimeout(() => this.#over(), ms);
    this.#resting.inTurn(() => this.#resting.suspend()).catch(() => {});
  }

  #over(): void {
    const service = this.#service;
    this.#resting.inTurn(async () => {
      await this.#resting.resume();
      this.#log.emit("warn", "resume", { service, reason: "rate" });
    }).catch((error: unknown) => this.#resting.fail(messageOf(error)));
  }

  /** It is something else by now. */
  end(): void {
    this.#clock.clear(this.#timer);
  }
}
