/** What becomes of newcomers at a limit, by a clock that stands still. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { Admission } from "../../runtime/core/admission/admission.ts";
import type { Candidate, Refusal } from "../../runtime/core/admission/candidate.ts";
import { type Overflow, overflowOf } from "../../runtime/core/admission/overflow.ts";
import type { Permit } from "../../runtime/core/admission/permit.ts";
import { Address } from "../../runtime/core/endpoint.ts";
import { EVERYBODY, type Limits } from "../../runtime/core/plan.ts";
import { LoadMeter } from "../../runtime/services/load.ts";
import { UNLIMITED } from "../support/in-process.ts";
import { StillClock } from "../support/still-clock.ts";

const RATE = { count: 10, per: 1000, burst: 2 };

function admissionOf(limits: Partial<Limits>, max = Infinity) {
  const clock = new StillClock();
  const plan = { limits: { ...UNLIMITED, ...limits }, concurrency: { max }, access: EVERYBODY };
  const admission = new Admission(plan, (callback) => callback(), undefined, undefined, clock);
  return { admission, clock };
}

class Asker implements Candidate {
  readonly kind;
  readonly weight;
  readonly remote: Address;
  readonly local: Address = new Address("tcp", "192.0.2.1", 7, "");
  told = "";
  ticket: Permit | undefined = undefined;

  constructor(admission: Admission, host = "a", kind: Candidate["kind"] = "stream", weight = 1) {
    this.kind = kind;
    this.weight = weight;
    this.remote = new Address("tcp", host, 1, "");
    const answer = admission.admit(this);
    if ("stage" in answer) {
      this.ticket = answer;
      this.told = answer.granted ? "in" : "waits";
    } else this.refused(answer);
  }

  admitted(): void {
    this.told = "in";
  }

  refused(why: Refusal): void {
    this.told = "limit" in why ? why.limit : why.rule;
  }
}

const toldOf = (askers: readonly Asker[]): string => askers.map(({ told }) => told).join(" ");

describe("overflow", () => {
  const waits: Overflow = { ...overflowOf("refuse"), rate: "wait" };

  test("a rate that waits lets one in with each token, in order", () => {
    const { admission, clock } = admissionOf({ rate: RATE, overflow: waits });
    const askers = Array.from({ length: 5 }, () => new Asker(admission));
    assert.equal(toldOf(askers), "in in waits waits waits");
    assert.equal(admission.waiting, 3);
    clock.move(99);
    assert.equal(toldOf(askers), "in in waits waits waits");
    clock.move(1);
    assert.equal(toldOf(askers), "in in in waits waits");
    clock.move(100);
    assert.equal(toldOf(askers), "in in in in waits");
    clock.move(100);
    assert.equal(toldOf(askers), "in in in in in");
    assert.deepEqual([admission.waiting, clock.timers], [0, 0]);
  });

  test("who comes when a token is there does not overtake who waits for it", () => {
    const { admission, clock } = admissionOf({ rate: RATE, overflow: waits });
    const askers = Array.from({ length: 3 }, () => new Asker(admission));
    // The timer is late: the token is there, and nobody has looked.
    clock.move(150, 200);
    askers.push(new Asker(admission));
    assert.equal(toldOf(askers), "in in in waits");
    clock.move(50);
    assert.equal(toldOf(askers), "in in in in");
  });

  test("a rate lets so many through each second, however they come", () => {
    const rate = { count: 100, per: 1000 };
    const { admission, clock } = admissionOf({ rate, overflow: waits, hold: Infinity });
    const askers = Array.from({ length: 2000 }, () => new Asker(admission));
    const counts: number[] = [];
    for (let second = 0; second < 10; second++) {
      for (let i = 0; i < 100; i++) clock.move(10, 3);
      counts.push(askers.filter(({ told }) => told === "in").length);
    }
    const each = counts.slice(1).map((count, index) => count - counts[index]!);
    for (const count of each) assert.ok(Math.abs(count - 100) <= 2, `${each}`);
  });

  test("who waits for a rate is refused when hold is over, and takes no token", () => {
    const { admission, clock } = admissionOf({ rate: RATE, overflow: waits, hold: 50 });
    const askers = Array.from({ length: 3 }, () => new Asker(admission));
    clock.move(50);
    assert.equal(toldOf(askers), "in in hold");
    clock.move(50);
    assert.equal(new Asker(admission).told, "in");
  });

  test("a rate refuses where it does not wait, whatever the other limits do", () => {
    const overflow: Overflow = { ...overflowOf("wait"), rate: "refuse" };
    const { admission } = admissionOf({ rate: RATE, sessions: 3, overflow });
    const askers = Array.from({ length: 3 }, () => new Asker(admission));
    assert.equal(toldOf(askers), "in in rate");
  });

  test("each limit has a word of its own", () => {
    const overflow: Overflow = { ...overflowOf("refuse"), perSource: "wait" };
    const { admission } = admissionOf({ sessions: 2, perSource: 1, overflow });
    const first = new Asker(admission);
    const second = new Asker(admission);
    const other = new Asker(admission, "b");
    const third = new Asker(admission, "c");
    assert.equal(toldOf([first, second, other, third]), "in waits in sessions");
    first.ticket!.release();
    assert.equal(second.told, "in");
  });

  test("a datagram waits for no place, and a request does", () => {
    const { admission } = admissionOf({ sessions: 1, rate: RATE, overflow: overflowOf("wait") });
    new Asker(admission);
    assert.equal(new Asker(admission, "a", "datagram").told, "sessions");
    assert.equal(new Asker(admission, "a", "http").told, "waits");
  });

  test("waiting bounds how many wait, for a place or a turn, and what they weigh", () => {
    const waiting = { sessions: 2, bytes: 100 };
    const turns = admissionOf({ waiting }, 1).admission;
    assert.equal(
      toldOf(Array.from({ length: 4 }, () => new Asker(turns))),
      "in waits waits waiting",
    );
    const places = admissionOf({ waiting, sessions: 1, overflow: overflowOf("wait") }).admission;
    const askers = Array.from({ length: 4 }, () => new Asker(places));
    assert.equal(toldOf(askers), "in waits waits waiting");
    askers[1]!.ticket!.release();
    assert.equal(new Asker(places).told, "waits");
    const heavy = admissionOf({ waiting: { sessions: 9, bytes: 100 } }, 1).admission;
    const weights = [1, 60, 60, 40].map((weight) => new Asker(heavy, "a", "stream", weight));
    assert.equal(toldOf(weights), "in waits waiting waits");
  });

  test("one word for all limits means refuse where it means nothing", () => {
    assert.deepEqual(overflowOf("wait"), {
      sessions: "wait",
      perSource: "wait",
      rate: "wait",
      ratePerSource: "refuse",
      load: "refuse",
    });
    assert.equal(overflowOf("shed").rate, "refuse");
    assert.equal(overflowOf("reset").load, "reset");
  });
});

describe("rest", () => {
  test("above its rate a service rests for a time; who comes meanwhile is too many", () => {
    const { admission, clock } = admissionOf({ rate: RATE, rest: 5000 });
    const told: number[] = [];
    admission.rests = (ms) => void told.push(ms);
    assert.equal(toldOf([1, 2, 3].map(() => new Asker(admission))), "in in rate");
    clock.move(4999);
    assert.equal(new Asker(admission).told, "rate");
    assert.deepEqual(told, [5000]);
    clock.move(1);
    assert.equal(toldOf([1, 2, 3].map(() => new Asker(admission))), "in in rate");
    assert.deepEqual(told, [5000, 5000]);
  });

  test("who waits for the rate comes in when the rest is over, as far as the rate has room", () => {
    const { admission, clock } = admissionOf({
      rate: RATE,
      rest: 5000,
      overflow: overflowOf("wait"),
    });
    const askers = Array.from({ length: 6 }, () => new Asker(admission));
    clock.move(4999);
    assert.equal(toldOf(askers), "in in waits waits waits waits");
    clock.move(1);
    assert.equal(toldOf(askers), "in in in in waits waits");
    clock.move(200);
    assert.equal(toldOf(askers), "in in in in in in");
  });

  test("endRest, and another policy, end it", () => {
    const { admission, clock } = admissionOf({ rate: RATE, rest: 5000 });
    for (let i = 0; i < 3; i++) new Asker(admission);
    clock.move(1000);
    assert.equal(new Asker(admission).told, "rate");
    admission.places.endRest();
    assert.equal(new Asker(admission).told, "in");
    for (let i = 0; i < 3; i++) new Asker(admission);
    admission.activate();
    clock.move(100);
    assert.equal(new Asker(admission).told, "in");
  });
});

describe("load", () => {
  test("LoadMeter is high above an average, until that is well below it again", () => {
    const clock = new StillClock();
    let average = 3;
    const meter = new LoadMeter(clock, () => average);
    const gate = meter.open({ average: 4 });
    const at = (value: number): boolean => {
      average = value;
      clock.move(1000);
      return gate.high;
    };
    assert.deepEqual([3.9, 4, 4.1, 3.9, 3.3, 3.2, 3.9].map(at), [
      false,
      false,
      true,
      true,
      true,
      false,
      false,
    ]);
    meter.close(gate);
    assert.equal(clock.timers, 0);
  });

  test("LoadMeter is high at once where it starts above an average", () => {
    const meter = new LoadMeter(new StillClock(), () => 5);
    assert.equal(meter.open({ average: 4 }).high, true);
  });

  test("LoadMeter is high while the event loop is late, here or in all workers", () => {
    const clock = new StillClock();
    const meter = new LoadMeter(clock, () => assert.fail("nobody asks for the average"));
    let workers = 0;
    const own = meter.open({ delay: 200 });
    const theirs = meter.open({ delay: 500 }, () => workers);
    clock.move(100);
    assert.deepEqual([own.high, theirs.high], [false, false]);
    clock.move(400, 250);
    assert.deepEqual([own.high, theirs.high], [true, false]);
    clock.move(100);
    workers = 600;
    clock.move(100);
    assert.deepEqual([own.high, theirs.high], [false, true]);
    workers = 450;
    clock.move(100);
    assert.equal(theirs.high, true);
    workers = 400;
    clock.move(100);
    assert.equal(theirs.high, false);
    meter.close(own);
    meter.close(theirs);
    assert.equal(clock.timers, 0);
  });

  test("newcomers are refused while there is too much to do; who is in or waits stays", () => {
    const { admission } = admissionOf({}, 1);
    const load = { high: false };
    admission.load = load;
    const [first, second] = [new Asker(admission), new Asker(admission)];
    load.high = true;
    assert.equal(new Asker(admission).told, "load");
    first.ticket!.release();
    assert.equal(second.told, "in");
    load.high = false;
    assert.equal(new Asker(admission).told, "waits");
  });

  test("whoever may not ask for the average is told at the start", () => {
    const meter = new LoadMeter(new StillClock(), () => {
      throw new Error("not permitted");
    });
    assert.throws(() => meter.open({ average: 1 }), /load average: not permitted/);
  });
});
