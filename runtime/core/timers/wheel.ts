/**
 * A timing wheel: it holds all that is live, each in the slot of the time at which it is looked at next.
 * There is no timer and no object for any of them: a slot is a list whose links are the items. To add, to
 * move, to remove one costs the same however many there are, and a look goes through those alone whose
 * slot has come. Who has had more time given meanwhile is put into another slot then, and not before.
 */

/** What a wheel holds. It is in one wheel at a time. */
export interface Timed<Item> {
  /** Its neighbours in its slot; the first one's `previous` is the last. */
  previous: Item | undefined;
  next: Item | undefined;
  /** Of its slot; {@link NOWHERE} where it is in none. */
  slot: number;
}

/** It is in no wheel. */
export const NOWHERE = -1;

/** The slot of those that are not looked at. */
const RESTING = 0;
/** Slots of each level. */
const SLOTS = 64;
/**
 * How long a slot is, in ms, by level. Times within half a second, four, half a minute are known to an
 * eighth of what is left, later than they were to be. What is farther off is looked at sooner, and put
 * into a slot of a finer level then.
 */
const SPANS: readonly number[] = [8, 64, 512, 4096, 32768];
/** Levels from this one on are looked at before their time. */
const EARLY = 3;

export class Wheel<Item extends Timed<Item>> {
  /** The first of each slot. Those of the levels are there as soon as somebody has a time. */
  readonly #slots: (Item | undefined)[] = [undefined];
  /** By level: the number of the last slot whose time has come, counted from the time 0. */
  readonly #done: number[] = SPANS.map(() => 0);
  #now = 0;
  /** Nothing is due before. */
  #next = Infinity;

  /** The time at which there is something to look at; Infinity where there is nothing. */
  get next(): number {
    return this.#next;
  }

  /** Nothing is in it: what was due is not. */
  emptied(): void {
    this.#next = Infinity;
  }

  /** Puts an item that is in no wheel among those that are not looked at. */
  add(item: Item): void {
    this.#link(item, RESTING);
  }

  /** It is looked at when it is `due`, in ms, or no more (Infinity). */
  set(item: Item, due: number, now: number): void {
    this.#forward(now);
    this.remove(item);
    this.#link(item, due === Infinity ? RESTING : this.#slotOf(due));
  }

  /** @returns false when it was in no wheel. */
  remove(item: Item): boolean {
    const { slot, previous, next } = item;
    if (slot === NOWHERE) return false;
    const first = this.#slots[slot]!;
    if (next !== undefined) next.previous = previous;
    else if (first !== item) first.previous = previous;
    if (first === item) this.#slots[slot] = next;
    else previous!.next = next;
    item.previous = item.next = undefined;
    item.slot = NOWHERE;
    return true;
  }

  #link(item: Item, slot: number): void {
    const first = this.#slots[slot];
    item.slot = slot;
    if (first === undefined) {
      this.#slots[slot] = item.previous = item;
      return;
    }
    const last = first.previous!;
    last.next = item;
    item.previous = last;
    first.previous = item;
  }

  #slotOf(due: number): number {
    const at = Math.max(due, this.#now + 1);
    const last = SPANS.length - 1;
    if (this.#slots.length === 1) {
      for (let i = SPANS.length * SLOTS; i > 0; i--) this.#slots.push(undefined);
    }
    for (let level = 0;; level++) {
      const span = SPANS[level]!;
      const most = this.#done[level]! + SLOTS - 1;
      let number = level < EARLY
        ? Math.ceil(at / span)
        : Math.max(Math.floor(at / span), this.#done[level]! + 1);
      if (number > most) {
        if (level < last) continue;
        number = most;
      }
      this.#next = Math.min(this.#next, number * span);
      return 1 + level * SLOTS + number % SLOTS;
    }
  }

  /** Time has passed in which nothing was due: what is due soon is known exactly again. */
  #forward(now: number): void {
    if (now <= this.#now || now >= this.#next) return;
    this.#now = now;
    for (let level = 0; level < SPANS.length; level++) {
      this.#done[level] = Math.floor(now / SPANS[level]!);
    }
  }

  /**
   * Takes those out whose time has come, and has each looked at: `look` puts it back with {@link set} or
   * {@link add}, or lets it go, and says what that has cost.
   *
   * @param budget what may be spent. When it has been, the rest is still due: {@link next} says so.
   */
  advance(now: number, budget: number, look: (item: Item) => number): void {
    if (now < this.#next) return this.#forward(now);
    this.#now = now;
    for (let level = 0; level < SPANS.length; level++) {
      const span = SPANS[level]!;
      const last = Math.floor(now / span);
      // Beyond one round all of its slots have come up.
      let number = Math.max(this.#done[level]! + 1, last - SLOTS + 1);
      for (; number <= last; number++) {
        const slot = 1 + level * SLOTS + number % SLOTS;
        for (let item; (item = this.#slots[slot]) !== undefined;) {
          if (budget <= 0) {
            this.#next = number * span;
            return;
          }
          this.remove(item);
          budget -= look(item);
        }
        this.#done[level] = number;
      }
      this.#done[level] = last;
    }
    this.#next = this.#findNext();
  }

  #findNext(): number {
    let next = Infinity;
    for (let level = 0; level < SPANS.length; level++) {
      const span = SPANS[level]!;
      const done = this.#done[level]!;
      for (let number = done + 1; number < done + SLOTS && number * span < next; number++) {
        if (this.#slots[1 + level * SLOTS + number % SLOTS] !== undefined) next = number * span;
      }
    }
    return next;
  }

  /** Calls `visit` for each, which may not remove any. */
  forEach(visit: (item: Item) => void): void {
    for (const first of this.#slots) {
      for (let item = first; item !== undefined; item = item.next) visit(item);
    }
  }
}
