import type { Clock, Timer } from "../clock.ts";
import { Count } from "../count.ts";
import { NOWHERE, type Timed, Wheel } from "./wheel.ts";

/** What one turn of the event loop may spend on deadlines: so many looks, or {@link STRIKE} times fewer ends. */
const BUDGET = 2048;
/** What it costs that something strikes, in looks. */
const STRIKE = 32;

/** When the deadlines of an item strike, and what follows. */
export interface Rules<Item> {
  /** The time of the next look at it, on the clock of {@link Timers.now}; Infinity for none. */
  due(item: Item, now: number): number;
  /** One has struck: {@link due} has said a time that has come. From then on it has to say another one. */
  strike(item: Item): void;
}

/**
 * All that is live of one service in one thread, and its deadlines: one timer for all, armed only while
 * something is due. However many strike at once, whatever else happens has its turn in between.
 */
export class Timers<Item extends Timed<Item>> extends Count {
  /** Milliseconds since the start, as of the last look: exact enough for deadlines, free to read. */
  now = 0;
  readonly #wheel: Wheel<Item> = new Wheel();
  readonly #rules: Rules<Item>;
  readonly #clock: Clock;
  readonly #epoch: number;
  /** How old {@link now} may be, in ms, while something is live. */
  #age = Infinity;
  #timer: Timer | undefined = undefined;
  #armed = Infinity;

  constructor(clock: Clock, rules: Rules<Item>) {
    super(clock);
    this.#clock = clock;
    this.#rules = rules;
    this.#epoch = clock.now();
  }

  /** The exact time, on the same clock as {@link now}. */
  readClock(): number {
    return this.now = Math.floor(this.#clock.now() - this.#epoch);
  }

  /** From here on {@link now} is at most so many ms old while something is live: a wake-up each. */
  keepTime(age: number): void {
    if (age >= this.#age) return;
    this.#age = age;
    if (this.value > 0) this.#arm(this.now + age);
  }

  /** It is live, and has no deadline before {@link touch}. */
  add(item: Item): void {
    this.#wheel.add(item);
    this.up();
    if (this.#age !== Infinity && this.#armed === Infinity) this.#arm(this.now + this.#age);
  }

  /** @returns false when it was not live any more. */
  remove(item: Item): boolean {
    if (!this.#wheel.remove(item)) return false;
    if (this.value === 1) {
      this.stop();
      this.#wheel.emptied();
    }
    this.down();
    return true;
  }

  /** Its deadlines have changed. */
  touch(item: Item): void {
    if (item.slot !== NOWHERE) this.set(item, this.#rules.due(item, this.readClock()));
  }

  /** It is looked at then, or no more. */
  set(item: Item, due: number): void {
    this.#wheel.set(item, due, this.now);
    this.#arm(this.#wheel.next);
  }

  /** Calls `visit` for each, which may go while it is visited. */
  forEach(visit: (item: Item) => void): void {
    const items: Item[] = [];
    this.#wheel.forEach((item) => items.push(item));
    items.forEach(visit);
  }

  /** The same where none goes. */
  each(visit: (item: Item) => void): void {
    this.#wheel.forEach(visit);
  }

  stop(): void {
    // Where requests come one by one, each is the last one.
    if (this.#timer !== undefined) this.#clock.clear(this.#timer);
    this.#timer = undefined;
    this.#armed = Infinity;
  }

  #arm(at: number): void {
    if (at >= this.#armed) return;
    if (this.#timer !== undefined) this.#clock.clear(this.#timer);
    this.#armed = at;
    const wait = at - (this.#clock.now() - this.#epoch);
    this.#timer = this.#clock.setTimeout(this.#look, Math.max(0, Math.ceil(wait)));
  }

  readonly #look = (): void => {
    this.#timer = undefined;
    this.#armed = Infinity;
    const now = this.readClock();
    this.#wheel.advance(now, BUDGET, this.#lookAt);
    if (this.value === 0) return;
    this.#arm(Math.min(this.#wheel.next, now + this.#age));
  };

  readonly #lookAt = (item: Item): number => {
    const due = this.#rules.due(item, this.now);
    // It is out of the wheel, and live.
    if (due > this.now) {
      this.#wheel.set(item, due, this.now);
      return 1;
    }
    this.#wheel.add(item);
    this.#rules.strike(item);
    if (item.slot !== NOWHERE) {
      const next = this.#rules.due(item, this.now);
      if (next > this.now) this.#wheel.set(item, next, this.now);
    }
    return STRIKE;
  };
}
