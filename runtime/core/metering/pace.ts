import type { RateLimit } from "../plan.ts";
import { ByteBucket } from "./bucket.ts";
import type { Throttle, Throttled } from "./throttle.ts";

/** The rate of one body, whoever moves it. */
export class Pace implements Throttled {
  readonly #bucket: ByteBucket;
  readonly #throttle: Throttle;
  #count = 0;
  #resolve: ((count: number) => void) | undefined = undefined;

  constructor(rate: RateLimit, throttle: Throttle) {
    this.#throttle = throttle;
    this.#bucket = new ByteBucket(rate, throttle.clock.now());
  }

  /** How many bytes may go at once. */
  get room(): number {
    return this.#bucket.room(this.#throttle.clock.now(), false);
  }

  /** Resolves with how many of `count` bytes may go now, at least one; with 0 after {@link stop}. One waits at a time. */
  take(count: number): number | Promise<number> {
    const { room } = this;
    if (room > 0) return this.#give(Math.min(room, count));
    this.#count = count;
    this.#throttle.add(this);
    return new Promise((resolve) => this.#resolve = resolve);
  }

  /** Nothing moves any more. */
  stop(): void {
    this.#throttle.remove(this);
    this.#answer(0);
  }

  release(now: number): boolean {
    const room = this.#bucket.room(now, true);
    if (room < Math.min(this.#count, this.#bucket.portion)) return true;
    this.#answer(this.#give(Math.min(room, this.#count)));
    return false;
  }

  #give(count: number): number {
    this.#bucket.take(count);
    return count;
  }

  #answer(count: number): void {
    const resolve = this.#resolve;
    this.#resolve = undefined;
    resolve?.(count);
  }
}
