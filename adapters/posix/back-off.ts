/** Pauses between attempts that fail for want of descriptors or memory, and how often that is reported. */

/** Milliseconds of the first pause; each further one is twice as long, up to the last. */
const FIRST = 10;
const LAST = 1000;
/** Milliseconds between two reports of a shortage that goes on. */
const SILENCE = 1000;

export class BackOff {
  #pause = FIRST;
  #silentUntil = 0;

  /** Milliseconds to wait now. */
  next(): number {
    const pause = this.#pause;
    this.#pause = Math.min(2 * pause, LAST);
    return pause;
  }

  /** It has worked again. */
  reset(): void {
    this.#pause = FIRST;
  }

  /** Whether it is time for a report; then it is taken as made. */
  reports(): boolean {
    const now = performance.now();
    if (now < this.#silentUntil) return false;
    this.#silentUntil = now + SILENCE;
    return true;
  }
}
