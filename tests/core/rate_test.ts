/** A token bucket over ten seconds of a clock that the test moves: what each second lets through, to the last one. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { Admission } from "../../runtime/core/admission/admission.ts";
import type { Candidate } from "../../runtime/core/admission/candidate.ts";
import type { Clock, Timer } from "../../runtime/core/clock.ts";
import { Address } from "../../runtime/core/endpoint.ts";
import { EVERYBODY, type RateLimit } from "../../runtime/core/plan.ts";
import { UNLIMITED } from "../support/in-process.ts";

const LOCAL = new Address("tcp", "127.0.0.1", 7, "");

/** An admission with a rate, and a clock that stands where it is put. */
class Door {
  time = 0;
  readonly #admission: Admission;

  constructor(limits: { readonly rate?: RateLimit; readonly ratePerSource?: RateLimit }) {
    const never = (): Timer => 0 as unknown as Timer;
    const clock: Clock = {
      now: () => this.time,
      wall: () => this.time,
      setTimeout: never,
      setInterval: never,
      clear: () => {},
    };
    const plan = {
      limits: { ...UNLIMITED, ...limits },
      concurrency: { max: Infinity },
      access: EVERYBODY,
    };
    this.#admission = new Admission(plan, (callback) => callback(), undefined, undefined, clock);
  }

  /** Whether one who comes at `time` is let in, and is gone at once. */
  asks(time: number, host = "10.0.0.1"): boolean {
    this.time = time;
    const candidate: Candidate = {
      kind: "stream",
      weight: 0,
      remote: new Address("tcp", host, 1, ""),
      local: LOCAL,
      admitted() {},
      refused() {},
    };
    const answer = this.#admission.admit(candidate);
    if (!("stage" in answer)) return false;
    answer.release();
    return true;
  }
}

/** Numbers from 0 to 1 that are the same in every run. */
function* random(seed: number): Generator<number, never> {
  for (let state = seed;;) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    yield state / 2 ** 32;
  }
}

/** How many of each second are let in, when they come at these times (in ms). */
function perSecond(door: Door, times: readonly number[], host?: string): number[] {
  const counts = Array<number>(10).fill(0);
  for (const time of times) if (door.asks(time, host)) counts[Math.floor(time / 1000)]!++;
  return counts;
}

const even = (each: number): number[] =>
  Array.from({ length: 10_000 * each }, (_, i) => Math.floor(i / each));

describe("a bucket of 100/s", () => {
  const rate = { count: 100, per: 1000 };

  test("lets its burst and 100 a second through, whatever is asked of it", () => {
    for (const each of [1, 3]) {
      const counts = perSecond(new Door({ rate }), even(each));
      assert.equal(counts.reduce((sum, count) => sum + count), 100 + 999);
      assert.deepEqual(counts.slice(1), Array(9).fill(100));
    }
  });

  test("keeps to 100 ± 2 a second where they come at random, or in heaps", () => {
    for (let seed = 1; seed <= 20; seed++) {
      const next = random(seed);
      const heap = seed % 2 === 0 ? 1 : 8;
      const times = Array.from({ length: 4000 }, () => next.next().value * 10_000)
        .map((time) => Math.floor(time / heap) * heap).sort((a, b) => a - b);
      const counts = perSecond(new Door({ rate: { ...rate, burst: 1 + heap } }), times);
      for (const count of counts.slice(1)) {
        assert.ok(Math.abs(count - 100) <= 2 + heap, `seed ${seed}: ${counts}`);
      }
      const sum = counts.reduce((total, count) => total + count);
      assert.ok(sum <= 1000 + 1 + heap && sum >= 980, `seed ${seed}: ${sum}`);
    }
  });

  test("with a burst of 5 lets 5 through after a rest, not a second's worth", () => {
    const door = new Door({ rate: { ...rate, burst: 5 } });
    const heap = (time: number): number =>
      Array.from({ length: 50 }, () => door.asks(time)).filter(Boolean).length;
    assert.deepEqual([0, 10, 20, 1020, 1040, 61_040].map(heap), [5, 1, 1, 5, 2, 5]);
  });

  test("of each source is its own", () => {
    const door = new Door({ ratePerSource: rate });
    const [first, second] = ["10.0.0.1", "10.0.0.2"];
    const counts = { first: 0, second: 0 };
    for (const time of even(1)) {
      if (door.asks(time, first)) counts.first++;
      // Who asks less often than it may is never refused.
      if (time % 10 === 0) counts.second += door.asks(time, second) ? 1 : 0;
    }
    assert.deepEqual(counts, { first: 1099, second: 1000 });
  });
});
