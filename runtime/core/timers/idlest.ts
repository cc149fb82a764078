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

const BINS = 256;

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

  /** The oldest of all, sorted: those of the first of {@link BINS} that hold enough of them. */
  #look(): { readonly item: Item; readonly active: number }[] {
    const all: Item[] = [];
    let least = Infinity;
    let most = -Infinity;
    this.#timers.each((item) => {
      if (!this.#counts(item)) return;
      all.push(item);
      least = Math.min(least, item.active);
      most = Math.max(most, item.active);
    });
    const width = (most - least) / BINS || 1;
    const binOf = ({ active }: Item): number => Math.floor((active - least) / width);
    const bins = new Uint32Array(BINS + 1);
    for (const item of all) bins[binOf(item)]!++;
    const wanted = Math.max(BATCH, all.length >> 4);
    let bin = 0;
    for (let sum = 0; sum < wanted && bin <= BINS; bin++) sum += bins[bin]!;
    const found = all.filter((item) => binOf(item) < bin)
      .map((item) => ({ item, active: item.active }));
    return found.sort((a, b) => b.active - a.active || b.item.id - a.item.id);
  }
}
