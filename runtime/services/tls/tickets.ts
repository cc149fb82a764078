/** The keys of session tickets: shared by all workers of a service, and new every so often. */
import { randomBytes } from "node:crypto";
import type { Clock, Timer } from "../../core/clock.ts";

/** As the runtimes take it: a name of 16 bytes, then a key for HMAC and one for AES. */
const LENGTH = 48;

/**
 * The key in use, and the one before it, whose tickets are still taken where a runtime can: so a session may be
 * resumed for a whole period, however old the key of its ticket was. Where it can not, whoever comes after the key of
 * its ticket was replaced makes a full handshake.
 */
export class TicketKeys {
  #key: Uint8Array;
  #former: Uint8Array | undefined;
  readonly #clock: Clock;
  #since: number;
  #timer: Timer | undefined = undefined;

  /**
   * @param period in ms.
   * @param changed is told of each new key.
   * @param before what a predecessor has had.
   */
  constructor(clock: Clock, period: number, changed: () => void, before?: StoredKey) {
    this.#clock = clock;
    const kept = before !== undefined && before.age < period;
    this.#key = kept ? Uint8Array.from(before.key) : randomBytes(LENGTH);
    this.#former = kept && before.former !== undefined ? Uint8Array.from(before.former) : undefined;
    this.#since = clock.now() - (kept ? before.age : 0);
    const rotate = (): void => {
      this.#former = this.#key;
      this.#key = randomBytes(LENGTH);
      this.#since = clock.now();
      this.#timer = clock.setTimeout(rotate, period);
      changed();
    };
    this.#timer = clock.setTimeout(rotate, period - (clock.now() - this.#since));
  }

  get key(): Uint8Array {
    return this.#key;
  }

  /** The one before it; undefined where there was none. */
  get former(): Uint8Array | undefined {
    return this.#former;
  }

  /** For a successor. */
  stored(): StoredKey {
    return {
      key: [...this.#key],
      age: this.#clock.now() - this.#since,
      ...(this.#former !== undefined && { former: [...this.#former] }),
    };
  }

  close(): void {
    this.#clock.clear(this.#timer);
  }
}

/** A key as a successor is told of it, over a socket that nobody else has. */
export interface StoredKey {
  readonly key: readonly number[];
  /** In ms. */
  readonly age: number;
  /** The key before it. */
  readonly former?: readonly number[];
}
