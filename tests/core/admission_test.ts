import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { overflowOf } from "../../runtime/core/admission/overflow.ts";
import { Admission } from "../../runtime/core/admission/admission.ts";
import type { Candidate, Refusal } from "../../runtime/core/admission/candidate.ts";
import { Rate } from "../../runtime/core/admission/rate.ts";
import type { Permit } from "../../runtime/core/admission/permit.ts";
import { Address } from "../../runtime/core/endpoint.ts";
import type { Limits } from "../../runtime/core/plan.ts";
import { accessOf, type Addresses } from "../support/access.ts";
import { UNLIMITED } from "../support/in-process.ts";
import { until } from "../support/until.ts";

type Settings = { limits?: Partial<Limits>; max?: number; access?: Addresses };

function plan({ limits, max = Infinity, access }: Settings = {}) {
  return {
    limits: { ...UNLIMITED, ...limits },
    concurrency: { max },
    access: accessOf(access),
  };
}

const later = (callback: () => void): void => void setTimeout(callback, 0);
const admissionOf = (settings?: Settings): Admission => new Admission(plan(settings), later);

/** Somebody who asks, and what it is told. */
class Asker implements Candidate {
  readonly kind;
  readonly weight;
  readonly host: string;
  told: "admitted" | Refusal | undefined = undefined;
  ticket: Permit | undefined = undefined;
  /** What it does when its turn has come. */
  served: () => void = () => {};

  constructor(host = "", kind: Candidate["kind"] = "stream", weight = 0) {
    this.host = host;
    this.kind = kind;
    this.weight = weight;
  }

  get remote(): Address {
    return new Address("tcp", this.host, 1, "");
  }

  readonly local: Address = new Address("tcp", "192.0.2.1", 7, "");

  admitted(): void {
    this.told = "admitted";
    this.served();
  }

  refused(why: Refusal): void {
    this.told = why;
  }

  /** What it is answered: in, waits, or why not. */
  ask(admission: Admission): string {
    const answer = admission.admit(this);
    if (!("stage" in answer)) return "rule" in answer ? answer.rule : answer.limit;
    this.ticket = answer;
    return answer.granted ? "in" : "waits";
  }
}

function ask(admission: Admission, host = "", kind?: Candidate["kind"]): [string, Asker] {
  const asker = new Asker(host, kind);
  return [asker.ask(admission), asker];
}

describe("Admission", () => {
  test("admit counts sessions, and who is released makes room, once", () => {
    const admission = admissionOf({ limits: { sessions: 2 } });
    const [first, one] = ask(admission);
    assert.deepEqual([first, ask(admission)[0], ask(admission)[0]], ["in", "in", "sessions"]);
    assert.equal(admission.live, 2);
    for (let i = 0; i < 3; i++) one.ticket!.release();
    assert.equal(admission.live, 1);
    assert.deepEqual([ask(admission)[0], ask(admission)[0]], ["in", "sessions"]);
  });

  test("admit counts each source by itself, and not those without an address", () => {
    const admission = admissionOf({ limits: { perSource: 1 } });
    const [, a] = ask(admission, "a");
    assert.equal(ask(admission, "a")[0], "perSource");
    assert.equal(ask(admission, "b")[0], "in");
    for (let i = 0; i < 5; i++) assert.equal(ask(admission)[0], "in");
    a.ticket!.release();
    assert.equal(ask(admission, "a")[0], "in");
    assert.equal(admission.live, 7);
  });

  test("a policy that counts sources first counts those too who are in, or wait for a place", () => {
    const before = admissionOf({ limits: { sessions: 3, overflow: overflowOf("wait") } });
    const [, first] = ask(before, "a");
    const [, second] = ask(before, "a");
    const [, gone] = ask(before, "b");
    const [, waiting] = ask(before, "a");
    gone.ticket!.release();
    assert.equal(waiting.told, "admitted");
    const [, late] = ask(before, "a");
    const after = new Admission(plan({ limits: { perSource: 2 } }), later, before);
    after.activate();
    assert.equal(late.told, undefined, "three are in from there");
    assert.equal(ask(after, "a")[0], "perSource");
    assert.equal(ask(after, "b")[0], "in");
    first.ticket!.release();
    assert.equal(ask(after, "a")[0], "perSource");
    second.ticket!.release();
    assert.equal(late.told, "admitted", "it waits by its address");
    waiting.ticket!.release();
    late.ticket!.release();
    for (let i = 0; i < 2; i++) assert.equal(ask(after, "a")[0], "in");
    assert.equal(ask(after, "a")[0], "perSource");
  });

  test("admit looks at no address where nothing is about addresses", () => {
    const asker = new Asker();
    Object.defineProperty(asker, "remote", { get: () => assert.fail("it was looked at") });
    assert.equal(asker.ask(admissionOf({ limits: { sessions: 3 }, max: 2 })), "in");
  });

  test("rules come before limits, and take nothing of them", () => {
    const admission = admissionOf({
      access: { deny: ["192.0.2.66"] },
      limits: { sessions: 1, rate: { count: 1, per: 1e6 } },
    });
    for (let i = 0; i < 3; i++) {
      assert.equal(ask(admission, "192.0.2.66")[0], "deny 192.0.2.66");
    }
    assert.equal(ask(admission, "192.0.2.1")[0], "in");
  });

  test("a rate takes no token from who is refused for another reason", () => {
    const admission = admissionOf({ limits: { perSource: 1, rate: { count: 2, per: 1e6 } } });
    assert.equal(ask(admission, "a")[0], "in");
    for (let i = 0; i < 5; i++) assert.equal(ask(admission, "a")[0], "perSource");
    assert.equal(ask(admission, "b")[0], "in");
    assert.equal(ask(admission, "c")[0], "rate");
  });

  test("who waits for a turn is served in the order of arrival; who has left is not", () => {
    const admission = admissionOf({ max: 1 });
    const [, first] = ask(admission);
    const waiting = Array.from({ length: 5 }, () => ask(admission));
    assert.deepEqual(waiting.map(([answer]) => answer), Array(5).fill("waits"));
    assert.equal(admission.waiting, 5);
    waiting[1]![1].ticket!.release();
    assert.equal(admission.waiting, 4);
    assert.equal(admission.live, 5);
    first.ticket!.returnTurn();
    assert.deepEqual(waiting.map(([, { told }]) => told), [
      "admitted",
      undefined,
      undefined,
      undefined,
      undefined,
    ]);
    first.ticket!.release();
    waiting[0]![1].ticket!.release();
    assert.equal(waiting[2]![1].told, "admitted");
    assert.equal(admission.waiting, 2);
  });

  test("turns that are given back at once are passed on without end of the stack, and let others have theirs", async () => {
    const admission = admissionOf({ max: 1 });
    const [, first] = ask(admission);
    let served = 0;
    const askers = Array.from({ length: 20_000 }, () => ask(admission)[1]);
    for (const asker of askers) {
      asker.served = () => {
        served++;
        asker.ticket!.release();
      };
    }
    first.ticket!.release();
    assert.ok(served > 0 && served < 1000, `${served} in one go`);
    assert.equal(ask(admission)[0], "waits", "nobody overtakes");
    await until("all of them", () => served === 20_000);
  });

  test("hold: who waits for a place has it when somebody leaves, others may pass", () => {
    const admission = admissionOf({ limits: { perSource: 1, overflow: overflowOf("wait") } });
    const [, a] = ask(admission, "a");
    const [answer, second] = ask(admission, "a");
    assert.equal(answer, "waits");
    assert.equal(ask(admission, "b")[0], "in");
    assert.equal(
      ask(admission, "a", "datagram")[0],
      "perSource",
      "a datagram does not wait for one",
    );
    a.ticket!.release();
    assert.equal(second.told, "admitted");
  });

  test("who has waited for a place waits for a turn where its arrival belongs", () => {
    const admission = admissionOf({
      limits: { sessions: 2, overflow: overflowOf("wait") },
      max: 1,
    });
    const [, first] = ask(admission);
    const [, second] = ask(admission);
    const [, third] = ask(admission);
    first.ticket!.release();
    assert.deepEqual([second.told, third.told], ["admitted", undefined]);
    second.ticket!.release();
    assert.equal(third.told, "admitted");
  });

  test("hold strikes by the clock, for all kinds, while the turn is taken", async () => {
    const admission = admissionOf({ limits: { hold: 20 }, max: 1 });
    ask(admission);
    const waiting = (["stream", "datagram", "http"] as const).map((kind) =>
      ask(admission, "", kind)[1]
    );
    await until("the refusals", () => waiting.every(({ told }) => told !== undefined));
    assert.deepEqual(waiting.map(({ told }) => told), Array(3).fill({ limit: "hold" }));
    assert.equal(admission.waiting, 0);
    assert.equal(admission.live, 1);
  });

  test("what waits is bounded by what it weighs, and leaves its weight behind", () => {
    const admission = admissionOf({ max: 1 });
    ask(admission);
    const heavy = (): Asker => new Asker("", "datagram", 1024 * 1024);
    const waiting: Asker[] = [];
    for (;;) {
      const asker = heavy();
      const answer = asker.ask(admission);
      if (answer !== "waits") {
        assert.equal(answer, "waiting");
        break;
      }
      waiting.push(asker);
    }
    assert.equal(waiting.length, 32);
    assert.equal(admission.live, 33, "who is refused has no place");
    waiting[7]!.ticket!.release();
    assert.equal(heavy().ask(admission), "waits");
  });

  test("close refuses newcomers, reopen lets them in and ends the waiting for the end", async () => {
    const admission = admissionOf({ max: 1 });
    const [, first] = ask(admission);
    const [, second] = ask(admission);
    admission.close();
    assert.equal(ask(admission)[0], "drain");
    const over = admission.empty(60_000);
    admission.reopen();
    assert.equal(await over, false);
    assert.equal(ask(admission)[0], "waits");
    admission.close();
    admission.refuseWaiting();
    assert.deepEqual(second.told, { limit: "drain" });
    const empty = admission.empty(60_000);
    first.ticket!.release();
    assert.equal(await empty, true);
  });

  test("a successor shares places and turns; its limits hold from its activation on", () => {
    const before = admissionOf({ limits: { sessions: 2 }, max: 1 });
    const [, one] = ask(before);
    const [, two] = ask(before);
    const after = new Admission(plan({ limits: { sessions: 3 }, max: 2 }), later, before);
    assert.equal(ask(after)[0], "sessions");
    after.activate();
    assert.equal(two.told, "admitted", "there are more turns now");
    assert.equal(ask(after)[0], "waits");
    assert.equal(ask(after)[0], "sessions");
    assert.deepEqual([before.live, after.live], [2, 1]);
    one.ticket!.release();
    assert.equal(after.waiting, 0);
  });

  test("who came while nothing was limited counts for limits that come; who waited comes in when they go", () => {
    const first = admissionOf();
    const early = Array.from({ length: 3 }, () => ask(first, "a")[1]);
    const limits = { sessions: 4, perSource: 3, overflow: overflowOf("wait") };
    const limited = new Admission(plan({ limits, max: 4 }), later, first);
    limited.activate();
    const [answer, fourth] = ask(limited, "a");
    assert.equal(answer, "waits", "three are in from there");
    const [, other] = ask(limited, "b");
    const waiting = Array.from({ length: 70 }, (_, at) => ask(limited, `c${at}`)[1]);
    assert.deepEqual(waiting.map(({ told }) => told), waiting.map(() => undefined));
    early[0]!.ticket!.release();
    assert.equal(fourth.told, "admitted");
    const last = new Admission(plan(), later, limited);
    last.activate();
    assert.equal(ask(last, "a")[0], "in", "while others are still let in, batch by batch");
    return new Promise<void>((resolve) => later(() => later(resolve))).then(() => {
      assert.deepEqual(waiting.map(({ told }) => told), waiting.map(() => "admitted"));
      for (const { ticket } of [...early, fourth, other, ...waiting]) ticket!.release();
      assert.deepEqual([first.live, limited.live, last.live], [0, 0, 1]);
      const again = new Admission(plan({ limits: { sessions: 2 } }), later, last);
      again.activate();
      assert.equal(ask(again, "a")[0], "in");
      assert.equal(ask(again, "a")[0], "sessions");
    });
  });
});

describe("Rate", () => {
  test("Rate is a bucket that is refilled by time, and never fuller than full", () => {
    const rate = new Rate();
    const take = (now: number): boolean => {
      const allowed = rate.allows({ count: 2, per: 1000 }, now);
      if (allowed) rate.take();
      return allowed;
    };
    assert.deepEqual([take(0), take(0), take(0)], [true, true, false]);
    assert.equal(take(499), false);
    assert.deepEqual([take(500), take(500)], [true, false]);
    assert.deepEqual([take(1e6), take(1e6), take(1e6)], [true, true, false]);
  });
});
