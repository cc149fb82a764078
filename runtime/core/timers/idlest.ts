import type { Timers } from "./timers.ts";
import type { Timed } from "./wheel.ts";

/** What is known by when it was active last, on the clock of its timers. It is not live any more where `slot` is -1. */
export interface Active<Item> extends Timed<Item> {
  readonly active: number;
  readonly id: number;
}

/** Idleness is known to so many ms. */
const RESOLUTION = 100;
/** One look at all of them serves for so many answers at least; a sixteenth of them where that is more. */
const BATCH = 64;

/**
 * Finds who has been idle longest, for whoever has to make room. Nothing is kept in order for it: what is
 * active becomes only later, so the oldest of one look at all are the oldest of all as long as they have
 * not moved. An answer costs about sixteen looks, however many there are.
 */
export class Idlest<Item extends Active<Item>> {
  readonly #timers: Timers<Item>;
  readonly #counts: (item: Item) => boolean;
  /** The oldest come last. */
  #batch: { readonly item: Item; readonly active: number }[] = [];

  /** @param counts whether one may be the answer. */
  constructor(timers: Timers<Item>, counts: (item: Item) => boolean) {
    this.#timers = timers;
    this.#counts = counts;
    timers.keepTime(RESOLUTION);
  }

  /** Undefined where nobody counts. Whoever was the answer once is not again unless it was active. */
  next(): Item | undefined {
    for (let looks = 0; looks < 2; looks++) {
      for (let last; (last = this.#batch.pop()) !== undefined;) {
        const { item, active } = last;
        if (item.slot !== -1 && item.active === active && this.#counts(item)) return item;
      }
      this.#batch = this.#look();
    }
    return undefined;
  }

  #look(): { readonly item: Item; readonly active: number }[] {
    const found: { readonly item: Item; readonly active: number }[] = [];
    this.#timers.each((item) => {
      if (this.#counts(item)) found.push({ item, active: item.active });
    });
    found.sort((a, b) => b.active - a.active || b.item.id - a.item.id);
    return found.slice(-Math.max(BATCH, found.length >> 4));
  }
}
