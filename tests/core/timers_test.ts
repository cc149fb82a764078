/** The wheel and the timers of all sessions of a service, against what is plainly right. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Clock, Timer } from "../../runtime/core/clock.ts";
import { Idlest } from "../../runtime/core/timers/idlest.ts";
import { Timers } from "../../runtime/core/timers/timers.ts";
import { NOWHERE, type Timed } from "../../runtime/core/timers/wheel.ts";

class Item implements Timed<Item> {
  readonly id: number;
  due: number;
  active = 0;
  struck = -1;
  looks = 0;
  previous: Item | undefined = undefined;
  next: Item | undefined = undefined;
  slot: number = NOWHERE;

  constructor(id: number, due: number) {
    this.id = id;
    this.due = due;
  }
}

/** A clock that stands still until it is moved, and counts its timers. */
class StillClock implements Clock {
  time = 0;
  made = 0;
  readonly timers: Set<{ at: number; callback: () => void }> = new Set();

  now(): number {
    return this.time;
  }

  wall(): number {
    return this.time;
  }

  setTimeout(callback: () => void, ms: number): Timer {
    this.made++;
    const timer = { at: this.time + ms, callback };
    this.timers.add(timer);
    return timer as unknown as Timer;
  }

  setInterval(): Timer {
    throw new Error("nobody asks for an interval");
  }

  clear(timer: Timer | undefined): void {
    this.timers.delete(timer as never);
  }

  moveTo(end: number): void {
    for (;;) {
      const due = [...this.timers].filter(({ at }) => at <= end).sort((a, b) => a.at - b.at)[0];
      if (due === undefined) break;
      this.timers.delete(due);
      this.time = Math.max(this.time, due.at);
      due.callback();
    }
    this.time = end;
  }
}

function timersOf(clock: Clock, struck: (item: Item) => void = () => {}): Timers<Item> {
  return new Timers<Item>(clock, {
    due: (item) => (item.looks++, item.struck < 0 ? item.due : Infinity),
    strike: (item) => {
      item.struck = clock.now();
      struck(item);
    },
  });
}

/** Numbers that are the same in each run. */
function random(seed: number): () => number {
  let state = seed;
  return () => {
    state = Math.imul(state ^ state >>> 15, 0x2c1b3c6d) + 0x9e3779b9 | 0;
    return (state >>> 0) / 2 ** 32;
  };
}

describe("timers of all sessions", () => {
  for (let seed = 1; seed <= 20; seed++) {
    test(`each strikes once, never early, an eighth or a second late at most: seed ${seed}`, () => {
      const next = random(seed);
      const clock = new StillClock();
      const timers = timersOf(clock);
      const items: Item[] = [];
      const scale = [300, 5000, 60_000, 7_200_000, 2 ** 31 - 1][seed % 5]!;
      for (let i = 0; i < 300; i++) {
        if (next() < 0.3) clock.moveTo(clock.time + Math.floor(next() * scale / 100));
        const wait = 1 + Math.floor(next() * scale);
        const item = new Item(i, clock.time + wait);
        items.push(item);
        timers.add(item);
        timers.touch(item);
        // Some are given more time, some less, some go.
        const other = items[Math.floor(next() * items.length)]!;
        if (other.struck >= 0 || other.slot === NOWHERE) continue;
        if (next() < 0.2) timers.remove(other);
        else if (next() < 0.3) {
          other.due = clock.time + 1 + Math.floor(next() * scale);
          timers.touch(other);
        }
      }
      clock.moveTo(clock.time + 2 * scale + 2000);
      for (const { id, due, struck, slot } of items) {
        if (slot === NOWHERE && struck < 0) continue;
        assert.ok(struck >= due, `${id} was due at ${due}, and has struck at ${struck}`);
        const late = Math.max(16, Math.min(1000, scale / 8));
        assert.ok(struck - due <= late, `${id} was due at ${due}, and has struck at ${struck}`);
      }
    });
  }

  test("a deadline that is close is known exactly after a long time in which nothing was due", () => {
    const clock = new StillClock();
    const timers = timersOf(clock);
    const far = new Item(1, 10_000_000);
    timers.add(far);
    timers.touch(far);
    clock.moveTo(123_457);
    const near = new Item(2, clock.time + 20);
    timers.add(near);
    timers.touch(near);
    clock.moveTo(124_000);
    assert.ok(near.struck >= near.due && near.struck <= near.due + 8, `${near.struck}`);
  });

  test("who is active all the time is looked at once in its time, and there is one timer", () => {
    const clock = new StillClock();
    const timers = timersOf(clock);
    const items = Array.from({ length: 1000 }, (_, id) => new Item(id, 60_000 + id));
    for (const item of items) {
      timers.add(item);
      timers.touch(item);
      item.looks = 0;
    }
    for (let time = 0; time < 600_000; time += 500) {
      clock.moveTo(time);
      for (const item of items) item.due = time + 60_000;
      assert.ok(clock.timers.size <= 1);
    }
    const looks = items.reduce((sum, item) => sum + item.looks, 0);
    assert.ok(items.every(({ struck }) => struck < 0));
    assert.ok(looks <= 1000 * 12, `${looks} looks for 1,000 sessions in ten of their deadlines`);
    items.forEach((item) => timers.remove(item));
    assert.equal(clock.timers.size, 0, "nothing is left");
  });

  test("when thousands strike at once others have their turn in between", () => {
    const clock = new StillClock();
    let now = 0;
    const timers = timersOf(clock, () => now++);
    const items = Array.from({ length: 5000 }, (_, id) => new Item(id, 1000));
    for (const item of items) {
      timers.add(item);
      timers.touch(item);
    }
    const most: number[] = [];
    for (let turn = 0; turn < 200; turn++) {
      now = 0;
      const [timer] = clock.timers;
      if (timer === undefined) break;
      clock.timers.delete(timer);
      clock.time = Math.max(clock.time, timer.at);
      timer.callback();
      most.push(now);
    }
    assert.ok(Math.max(...most) <= 64, `${Math.max(...most)} in one turn`);
    assert.ok(items.every(({ struck }) => struck >= 1000));
  });

  test("one that strikes may go, or take others along", () => {
    const clock = new StillClock();
    const items = Array.from({ length: 100 }, (_, id) => new Item(id, 100));
    const timers: Timers<Item> = timersOf(clock, (item) => {
      timers.remove(item);
      timers.remove(items[item.id ^ 1]!);
    });
    for (const item of items) {
      timers.add(item);
      timers.touch(item);
    }
    clock.moveTo(200);
    assert.equal(timers.value, 0);
    assert.equal(items.filter(({ struck }) => struck >= 0).length, 50);
  });

  test("the time is known to what was asked while somebody is there", () => {
    const clock = new StillClock();
    const timers = timersOf(clock);
    timers.keepTime(100);
    assert.equal(clock.timers.size, 0, "nobody is there");
    const item = new Item(1, Infinity);
    timers.add(item);
    for (let time = 0; time < 2000; time += 37) {
      clock.moveTo(time);
      assert.ok(time - timers.now <= 100, `${timers.now} at ${time}`);
    }
    timers.remove(item);
    assert.equal(clock.timers.size, 0);
  });

  for (let seed = 1; seed <= 5; seed++) {
    test(`who has been idle longest is found as if all were looked through: seed ${seed}`, () => {
      const next = random(seed);
      const timers = timersOf(new StillClock());
      const idlest = new Idlest(timers, ({ due }) => due > 0);
      const live: Item[] = [];
      let id = 0;
      for (let time = 0; time < 3000; time++) {
        const item = new Item(++id, Infinity);
        item.active = time;
        timers.add(item);
        live.push(item);
        for (let i = 0; i < 3; i++) live[Math.floor(next() * live.length)]!.active = time;
        if (live.length < 500) continue;
        const found = idlest.next();
        const oldest = Math.min(...live.map(({ active }) => active));
        assert.equal(found?.active, oldest);
        timers.remove(found!);
        live.splice(live.indexOf(found!), 1);
      }
    });
  }
});
