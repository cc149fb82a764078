/** The table of bans: what it is about, what bans and what lifts, and that it is bounded. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Offence } from "../../runtime/core/admission/gate.ts";
import { SENSOR } from "../../runtime/core/admission/gate.ts";
import type { Candidate } from "../../runtime/core/admission/candidate.ts";
import { PREFIXES } from "../../runtime/core/access/source.ts";
import type { Clock, Timer } from "../../runtime/core/clock.ts";
import { Address, KnownPeer } from "../../runtime/core/endpoint.ts";
import type { AccessRule, BanPlan, ServicePlan } from "../../runtime/core/plan.ts";
import { type BanChange } from "../../runtime/services/bans/ban.ts";
import { Bans } from "../../runtime/services/bans/bans.ts";
import { networkOf, parseNetwork } from "../../runtime/services/bans/network.ts";
import { Offences } from "../../runtime/services/bans/offences.ts";
import { readyService } from "../support/in-process.ts";
import { logTo } from "../support/in-process.ts";

/** A clock that stands still until it is moved; the one on the wall can be set. */
class StillClock implements Clock {
  time = 1000;
  day = Date.parse("2026-11-28T12:00:00Z");
  readonly timers: Map<number, { at: number; run: () => void }> = new Map();
  #next = 1;

  now(): number {
    return this.time;
  }

  wall(): number {
    return this.day;
  }

  setTimeout(run: () => void, ms: number): Timer {
    this.timers.set(this.#next, { at: this.time + ms, run });
    return this.#next++ as unknown as Timer;
  }

  setInterval(): Timer {
    throw new Error("nobody needs one");
  }

  clear(timer: Timer | undefined): void {
    this.timers.delete(timer as unknown as number);
  }

  move(ms: number): void {
    const end = this.time + ms;
    for (;;) {
      const [id, due] = [...this.timers].toSorted(([, a], [, b]) => a.at - b.at)[0] ?? [];
      if (due === undefined || due.at > end) break;
      this.day += Math.max(0, due.at - this.time);
      this.time = Math.max(this.time, due.at);
      this.timers.delete(id!);
      due.run();
    }
    this.day += end - this.time;
    this.time = end;
  }
}

const HOUR = 3_600_000;

function planOf(name: string, ban?: Partial<BanPlan>, limits = {}): ServicePlan {
  const { plan } = readyService({ data() {} }, logTo(() => {}), { name, limits });
  return { ...plan, ...(ban && { ban: { for: HOUR, datagrams: false, ...ban } }) };
}

const at = (host: string): Address => new Address("tcp", host, 1, "");
const user = (uid: number): Address =>
  new KnownPeer(new Address("unix", "", 0, ""), { uid, gid: 1, pid: 2 });
const candidate = (remote: Address): Candidate => ({
  kind: "stream",
  remote,
  local: at("127.0.0.1"),
  weight: 0,
  admitted() {},
  refused() {},
});
const never = (...texts: string[]): AccessRule[] =>
  texts.map((text) => ({ action: "allow", text, subject: text }));

function setUp(most = 100, spared: readonly string[] = []) {
  const clock = new StillClock();
  const bans = new Bans(clock);
  const told: string[] = [];
  bans.tell = (level, event, { source, cause, reason }) =>
    told.push(`${level} ${event} ${source}: ${cause ?? reason}`);
  bans.configure({ most, never: never(...spared) }, []);
  const isIn = (remote: Address): boolean =>
    !bans.asks || bans.refuses(candidate(remote), PREFIXES) === undefined;
  let id = 0;
  const offend = (
    plan: ServicePlan,
    remote: Address,
    what: Offence,
    kind: Candidate["kind"] = "stream",
  ): void => bans.offendedBy(plan)({ id: ++id, kind, remote }, what);
  return { clock, bans, told, isIn, offend };
}

const RULE: Offence = { rule: "deny 10.0.0.0/8", place: "portico.json:1:1" };
const THREE = { after: { count: 3, per: 60_000, text: "3 refusals in 1m" } };

describe("what a ban is about", () => {
  test("names of sources are read, and written as they are", () => {
    const texts = [
      ["192.0.2.7", "192.0.2.7"],
      ["192.0.2.7/32", "192.0.2.7"],
      ["192.0.2.7/24", "192.0.2.0/24"],
      ["10.255.0.0/9", "10.128.0.0/9"],
      ["0.0.0.0/0", "0.0.0.0/0"],
      ["::ffff:192.0.2.7", "192.0.2.7"],
      ["::ffff:192.0.2.7/120", "192.0.2.0/24"],
      ["2001:DB8:1:2:3::/64", "2001:db8:1:2::/64"],
      ["2001:db8::1", "2001:db8::1"],
      ["::/0", "::/0"],
      ["::1", "::1"],
      ["1:0:2:0:0:3:0:0", "1:0:2::3:0:0"],
      ["1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7:8"],
      ["uid:0", "uid:0"],
    ] as const;
    for (const [text, canonical] of texts) assert.equal(parseNetwork(text).text, canonical, text);
    for (
      const text of ["", "localhost", "10.0.0.0/33", "::/129", "10.0.0.1/8/9", "uid:-1", "1.2.3"]
    ) {
      assert.throws(() => parseNetwork(text), SyntaxError, text);
    }
  });

  test("a source of limits.source has the name and the key that are read", () => {
    for (let round = 0; round < 2000; round++) {
      const four = Array.from({ length: 4 }, () => Math.floor(Math.random() * 256)).join(".");
      const six = Array.from(
        { length: 8 },
        () => Math.random() < 0.4 ? "0" : Math.floor(Math.random() * 65536).toString(16),
      ).join(":");
      const prefixes = {
        ipv4: Math.floor(Math.random() * 33),
        ipv6: Math.floor(Math.random() * 129),
      };
      for (const host of [four, six]) {
        const found = networkOf(at(host), prefixes)!;
        const length = host === four ? prefixes.ipv4 : prefixes.ipv6;
        assert.deepEqual(parseNetwork(`${host}/${length}`), found);
        assert.deepEqual(parseNetwork(found.text), found, found.text);
      }
    }
    assert.equal(networkOf(new Address("unix", "", 0, ""), PREFIXES), undefined);
    assert.equal(networkOf(user(7), PREFIXES)!.text, "uid:7");
  });

  test("an address, a prefix, a /64, a user are refused, and nobody else", () => {
    const { bans, isIn, told } = setUp();
    assert.equal(bans.asks, false);
    for (const source of ["192.0.2.7", "10.0.0.0/9", "2001:db8:1:2::/64", "2001:db8::5", "uid:7"]) {
      bans.ban(source, HOUR, "operator");
    }
    const outs = ["192.0.2.7", "10.1.2.3", "10.127.255.255", "2001:db8:1:2:ffff::1", "2001:db8::5"];
    const ins = ["192.0.2.8", "10.128.0.0", "2001:db8:1:3::1", "2001:db8::6", "::1"];
    for (const host of outs) assert.equal(isIn(at(host)), false, host);
    for (const host of ins) assert.equal(isIn(at(host)), true, host);
    assert.equal(isIn(user(7)), false);
    assert.equal(isIn(user(8)), true);
    assert.equal(isIn(new Address("unix", "", 0, "")), true);
    assert.deepEqual(bans.refuses(candidate(at("192.0.2.7")), PREFIXES), {
      rule: "ban",
      until: "2026-11-28T13:00:00.000Z",
    });
    assert.equal(told[0], "warn ban 192.0.2.7: operator");
    assert.deepEqual(bans.list()[0], {
      source: "192.0.2.7",
      since: Date.parse("2026-11-28T12:00:00Z"),
      for: HOUR,
      until: Date.parse("2026-11-28T13:00:00Z"),
      cause: "operator",
      refused: 2,
    });
    assert.deepEqual(bans.unban(undefined).length, 5);
    assert.equal(bans.asks, false);
    assert.throws(() => bans.unban("192.0.2.7"), /192\.0\.2\.7 is not banned/);
    assert.throws(() => bans.ban("localhost", HOUR, ""), { code: "USAGE" });
  });

  test("a table of many prefixes decides as a naive one does", () => {
    const { bans, isIn } = setUp(10_000);
    const naive: { readonly base: number; readonly length: number }[] = [];
    const random = (): number => Math.floor(Math.random() * 2 ** 32);
    const text = (word: number): string =>
      [24, 16, 8, 0].map((shift) => word >>> shift & 255).join(".");
    for (let i = 0; i < 300; i++) {
      const [base, length] = [random(), 4 + Math.floor(Math.random() * 29)];
      naive.push({ base, length });
      bans.ban(`${text(base)}/${length}`, HOUR, "");
    }
    const covers = (word: number) => ({ base, length }: { base: number; length: number }) =>
      base >>> 32 - length === word >>> 32 - length;
    let out = 0;
    for (let i = 0; i < 5000; i++) {
      const near = naive[i % naive.length]!;
      const word = i % 2 === 0 ? random() : (near.base ^ Math.floor(Math.random() * 16)) >>> 0;
      const expected = !naive.some(covers(word));
      assert.equal(isIn(at(text(word))), expected, text(word));
      if (!expected) out++;
    }
    assert.ok(out > 1000 && out < 5000, `${out}`);
  });
});

describe("what bans", () => {
  test("so many refusals of one source in so long a time", () => {
    const { bans, isIn, offend, clock, told } = setUp();
    const plan = planOf("echo", THREE);
    const peer = at("192.0.2.7");
    offend(plan, peer, RULE);
    offend(plan, peer, { rule: "verify" });
    clock.move(60_000);
    // The first two are as long ago as the time is.
    offend(plan, peer, { limit: "ratePerSource" });
    assert.equal(isIn(peer), true);
    offend(plan, at("192.0.2.8"), RULE);
    clock.move(30_000);
    offend(plan, peer, { offence: "bad password" });
    assert.equal(isIn(peer), true);
    clock.move(29_999);
    offend(plan, peer, { limit: "perSource" });
    assert.equal(isIn(peer), false);
    assert.equal(isIn(at("192.0.2.8")), true);
    assert.deepEqual(told, ["warn ban 192.0.2.7: 3 refusals in 1m: limit perSource"]);
    assert.equal(bans.list()[0]!.service, "echo");
    // The count begins anew.
    bans.unban("192.0.2.7");
    offend(plan, peer, RULE);
    offend(plan, peer, RULE);
    assert.equal(isIn(peer), true);
    offend(plan, peer, RULE);
    assert.equal(isIn(peer), false);
  });

  test("what is nobody's own fault does not count, nor datagrams, nor another service's refusals", () => {
    const { isIn, offend } = setUp();
    const plan = planOf("echo", { ...THREE });
    const peer = at("192.0.2.7");
    const innocent: Offence[] = [
      { rule: "ban" },
      { rule: "loop" },
      { limit: "sessions" },
      { limit: "rate" },
      { limit: "hold" },
      { limit: "drain" },
      { limit: "workers" },
      { limit: "lifetime" },
    ];
    for (const what of innocent) for (let i = 0; i < 5; i++) offend(plan, peer, what);
    for (let i = 0; i < 5; i++) offend(plan, peer, RULE, "datagram");
    for (let i = 0; i < 5; i++) offend(planOf("other"), peer, RULE);
    offend(plan, peer, RULE);
    offend(plan, peer, RULE);
    offend(planOf("third", THREE), peer, RULE);
    offend(planOf("third", THREE), peer, RULE);
    assert.equal(isIn(peer), true);
    const trusting = planOf("trusting", { ...THREE, datagrams: true });
    for (let i = 0; i < 3; i++) offend(trusting, peer, RULE, "datagram");
    assert.equal(isIn(peer), false);
  });

  test("one touch of a sensor; not by a datagram, whose sender may be forged", () => {
    const { isIn, offend, told } = setUp();
    const plan = planOf("trap", {});
    offend(plan, at("192.0.2.7"), SENSOR, "datagram");
    assert.equal(isIn(at("192.0.2.7")), true);
    offend(plan, at("192.0.2.7"), SENSOR);
    assert.equal(isIn(at("192.0.2.7")), false);
    offend(plan, at("192.0.2.7"), SENSOR);
    offend(plan, at("2001:db8:1:2::7"), SENSOR);
    offend(plan, new Address("unix", "", 0, ""), SENSOR);
    offend(plan, user(7), SENSOR);
    assert.deepEqual(told, [
      "warn ban 192.0.2.7: sensor",
      "warn ban 2001:db8:1:2::/64: sensor",
      "warn ban uid:7: sensor",
    ]);
    assert.equal(isIn(at("2001:db8:1:2:9::")), false);
    assert.equal(isIn(user(7)), false);
  });

  test("whom access.never names is not banned, not even by a prefix; a reload lifts what it names", () => {
    const { bans, isIn, offend, told } = setUp(100, ["10.0.0.0/24", "uid:0"]);
    const plan = planOf("trap", {}, { source: { ipv4: 16, ipv6: 64 } });
    offend(plan, at("10.0.0.5"), SENSOR);
    offend(plan, user(0), SENSOR);
    assert.deepEqual(told, []);
    offend(plan, at("10.0.1.5"), SENSOR);
    assert.deepEqual(told, ["warn ban 10.0.0.0/16: sensor"]);
    assert.equal(isIn(at("10.0.9.9")), false);
    assert.equal(isIn(at("10.0.0.5")), true);
    assert.throws(() => bans.ban("10.0.0.5", HOUR, ""), /10\.0\.0\.5 is never banned/);
    assert.throws(() => bans.ban("uid:0", HOUR, ""), /never banned/);
    bans.ban("192.0.2.7", HOUR, "operator");
    bans.configure({ most: 100, never: never("192.0.2.7") }, []);
    assert.equal(told.at(-1), "info unban 192.0.2.7: never");
    assert.equal(isIn(at("192.0.2.7")), true);
    assert.equal(isIn(at("10.0.0.5")), false, "it is not named any more");
  });
});

describe("what lifts", () => {
  test("its time, by one timer for all, and none while nobody is banned", () => {
    const { bans, clock, isIn, told } = setUp();
    assert.equal(clock.timers.size, 0);
    bans.ban("192.0.2.1", 5000, "");
    bans.ban("192.0.2.2", 3000, "");
    bans.ban("192.0.2.3", Infinity, "");
    for (let i = 10; i < 60; i++) bans.ban(`192.0.2.${i}`, 9000 + i, "");
    assert.equal(clock.timers.size, 1);
    clock.move(2999);
    assert.equal(isIn(at("192.0.2.2")), false);
    clock.move(1);
    assert.equal(isIn(at("192.0.2.2")), true);
    assert.equal(told.at(-1), "info unban 192.0.2.2: over");
    clock.move(2000);
    assert.equal(isIn(at("192.0.2.1")), true);
    assert.equal(isIn(at("192.0.2.3")), false);
    clock.move(10_000);
    assert.equal(bans.size, 1);
    assert.equal(clock.timers.size, 0);
    clock.move(400 * 24 * HOUR);
    assert.equal(isIn(at("192.0.2.3")), false);
    assert.deepEqual(bans.refuses(candidate(at("192.0.2.3")), PREFIXES), { rule: "ban" });
    bans.close();
  });

  test("when there is no room, the one goes that a service has made first; an operator's stay", () => {
    const { bans, offend, told, isIn } = setUp(10);
    const plan = planOf("trap", {});
    bans.ban("192.0.2.1", HOUR, "operator");
    for (let i = 0; i < 1000; i++) offend(plan, at(`10.0.${i >> 8}.${i & 255}`), SENSOR);
    assert.equal(bans.size, 10);
    assert.equal(told.filter((line) => line.endsWith(": most")).length, 991);
    assert.equal(isIn(at("192.0.2.1")), false);
    assert.equal(isIn(at("10.0.3.231")), false);
    assert.equal(isIn(at("10.0.3.222")), true, "the tenth last has gone");
    for (let i = 2; i < 11; i++) bans.ban(`192.0.2.${i}`, HOUR, "operator");
    assert.equal(bans.size, 10);
    assert.throws(() => bans.ban("192.0.2.99", HOUR, ""), /there are 10 bans already/);
    bans.ban("192.0.2.1", 2 * HOUR, "longer");
    assert.equal(bans.size, 10);
  });

  test("a clock on the wall that is set changes nothing here, and prolongs no ban elsewhere", () => {
    const { bans, clock, isIn } = setUp();
    bans.ban("192.0.2.1", HOUR, "");
    clock.day -= 24 * HOUR;
    clock.move(HOUR - 1);
    assert.equal(isIn(at("192.0.2.1")), false);
    const [ban] = bans.list();
    assert.equal(ban!.until, clock.day + 1);
    clock.move(1);
    assert.equal(isIn(at("192.0.2.1")), true);

    const other = setUp();
    other.clock.day -= 365 * 24 * HOUR;
    other.bans.adopt([{ ...ban!, for: HOUR }]);
    other.clock.move(HOUR - 1);
    assert.equal(other.isIn(at("192.0.2.1")), false);
    other.clock.move(1);
    assert.equal(other.isIn(at("192.0.2.1")), true);
    // Set forth, it has ended long ago.
    const third = setUp();
    third.clock.day += 365 * 24 * HOUR;
    third.bans.adopt([{ ...ban!, for: HOUR }]);
    assert.equal(third.bans.size, 0);
  });

  test("whoever watches hears of each change, which brings another table to the same", () => {
    const { bans, clock, offend } = setUp();
    const changes: BanChange[] = [];
    bans.watchers.add((change) => void changes.push(change));
    offend(planOf("trap", {}), at("192.0.2.7"), SENSOR);
    bans.ban("192.0.2.8", HOUR, "");
    bans.unban("192.0.2.7");
    const other = new Bans(clock);
    for (const change of changes) {
      if ("ban" in change) other.adopt([change.ban]);
      else other.unban(change.unban);
    }
    assert.deepEqual(other.list(), bans.list());
    assert.equal(other.list().length, 1);
    other.close();
    bans.close();
    assert.equal(clock.timers.size, 0);
  });
});

describe("what is remembered", () => {
  test("of offences of any number of sources a bounded number, the longest silent forgotten first", () => {
    const offences = new Offences(2, 60_000);
    for (let i = 0; i < 100_000; i++) assert.equal(offences.add(`s${i}`, 1), false);
    assert.ok(offences.size <= 8192, `${offences.size}`);
    assert.equal(offences.add("s99999", 2), true);
    assert.equal(offences.add("s0", 2), false, "it was forgotten");
  });

  test("of arrivals and refusals while somebody looks on, and nothing else", () => {
    const { bans, clock, offend, isIn } = setUp();
    const plan = planOf("echo");
    offend(plan, at("192.0.2.7"), RULE);
    assert.equal(bans.asks, false);
    const counts = bans.look();
    assert.deepEqual([...counts.entries()], []);
    assert.equal(bans.asks, true);
    assert.equal(isIn(at("192.0.2.7")), true);
    offend(plan, at("192.0.2.7"), RULE);
    offend(plan, at("192.0.2.7"), { offence: "no refusal" });
    for (let i = 0; i < 50_000; i++) isIn(at(`10.${i >> 16 & 255}.${i >> 8 & 255}.${i & 255}`));
    assert.ok([...counts.entries()].length <= 8192);
    assert.equal(isIn(at("192.0.2.7")), true);
    assert.equal(bans.look(), counts);
    clock.move(59_999);
    assert.equal(bans.asks, true);
    clock.move(1);
    assert.equal(bans.asks, false);
    assert.equal(clock.timers.size, 0);
  });
});
