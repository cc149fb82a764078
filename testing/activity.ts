/** Knows when something has happened in a server under test, so that nobody has to look again and again. */
import { setImmediate } from "node:timers";

/** A round of the event loop; also where a test has replaced the global timers. */
export function turn(): Promise<void> {
  return new Promise((resolve) => void setImmediate(resolve));
}

/** Rounds without anything happening, after which all is at rest. */
const QUIET = 3;

// Those of the real clock, whatever a test puts in their place later.
const { setTimeout, clearTimeout } = globalThis;

/** The longest delay of a timer, in ms. */
const TIMER_MAX = 2 ** 31 - 1;

/** Calls back after so many ms of real time, unless it is cancelled before. */
export function later(ms: number, callback: () => void): { readonly cancel: () => void } {
  const timer = ms > TIMER_MAX ? undefined : setTimeout(callback, ms);
  return { cancel: () => clearTimeout(timer) };
}

export class Activity {
  /** Real time that a test waits for something when nothing else happens, in ms. */
  readonly patience: number;
  /** Something was told to the test that fails it: what is wrong besides would only hide that. */
  failed = false;
  #count = 0;
  #waiting: (() => void)[] = [];

  constructor(patience: number) {
    this.patience = patience;
  }

  /** Something has happened. */
  readonly note = (): void => {
    this.#count++;
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const wake of waiting) wake();
  };

  /** Resolves when something happens: with true; with false when nothing has for {@link patience}. */
  next(): Promise<boolean> {
    return new Promise((resolve) => {
      const silence = later(this.patience, () => resolve(false));
      this.#waiting.push(() => {
        silence.cancel();
        resolve(true);
      });
    });
  }

  /** Whether something comes true while there is patience. */
  async within(isTrue: () => boolean): Promise<boolean> {
    const end = performance.now() + this.patience;
    while (!isTrue() && performance.now() < end) await turn();
    return isTrue();
  }

  /** Resolves when nothing happens any more by itself, as far as that can be seen without waiting for clocks. */
  async rest(): Promise<void> {
    let seen = this.#count;
    for (let quiet = 0; quiet < QUIET; quiet++) {
      await turn();
      if (seen === this.#count) continue;
      seen = this.#count;
      quiet = -1;
    }
  }
}
