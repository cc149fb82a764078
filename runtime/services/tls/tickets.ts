/** The keys of session tickets: shared by all workers of a service, and new every so often. */
import { randomBytes } from "node:crypto";
import type { Clock, Timer } from "../../core/clock.ts";

/** As the runtimes take it: a name of 16 bytes, then a key for HMAC and one for AES. */
const LENGTH = 48;

/**
 * One key at a time, since no runtime takes several: a session may be resumed until the key of its ticket is
 * replaced, which is a whole period at most, and half of one on average. Whoever comes later makes a full handshake.
 */
export class TicketKeys {
  #key: Uint8Array;
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
    this.#since = clock.now() - (kept ? before.age : 0);
    const rotate = (): void => {
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

  /** For a successor. */
  stored(): StoredKey {
    return { key: [...this.#key], age: this.#clock.now() - this.#since };
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
}
