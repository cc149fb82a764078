/** Hosts that rules know by name, and names of peers: with a resolver and a clock of the test's own. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Clock, Timer } from "../../runtime/core/clock.ts";
import type { PorticoError } from "../../runtime/core/errors.ts";
import { HostNames, LAST_KNOWN } from "../../runtime/core/names/hosts.ts";
import { PeerNames } from "../../runtime/core/names/peers.ts";
import type { Found, Resolver } from "../../runtime/core/names/resolver.ts";
import { turns } from "../support/until.ts";

/** Stands still until it is moved. */
class HandClock implements Clock {
  time = 1;
  readonly #timers: Set<{ readonly at: number; readonly callback: () => void }> = new Set();

  now(): number {
    return this.time;
  }
  wall(): number {
    return this.time;
  }
  setTimeout(callback: () => void, ms: number): Timer {
    const timer = { at: this.time + ms, callback };
    this.#timers.add(timer);
    return timer as unknown as Timer;
  }
  setInterval(): Timer {
    throw new Error("nobody asks for one");
  }
  clear(timer: Timer | undefined): void {
    this.#timers.delete(timer as never);
  }
  get timers(): number {
    return this.#timers.size;
  }

  async move(ms: number): Promise<void> {
    const end = this.time + ms;
    for (;;) {
      const [next] = [...this.#timers].filter(({ at }) => at <= end).sort((a, b) => a.at - b.at);
      if (next === undefined) break;
      this.time = Math.max(this.time, next.at);
      this.#timers.delete(next);
      next.callback();
      await turns();
    }
    this.time = end;
  }
}

type Reply = Found | Error | Promise<Found>;

/** Answers what the test says; what it does not know is nothing for a minute. */
class HandResolver implements Resolver {
  readonly replies: Record<string, Reply> = {};
  readonly asked: string[] = [];

  async #ask(what: string): Promise<Found> {
    this.asked.push(what);
    const reply = this.replies[what] ?? { values: [], ttl: 60_000 };
    if (reply instanceof Error) throw reply;
    return await reply;
  }
  addresses(name: string): Promise<Found> {
    return this.#ask(name.replace(/\.$/, ""));
  }
  names(address: string): Promise<Found> {
    return this.#ask(address);
  }
}

const found = (ttl: number, ...values: string[]): Found => ({ values, ttl: ttl * 1000 });

function hosts() {
  const [clock, resolver] = [new HandClock(), new HandResolver()];
  const told: (string | undefined)[] = [];
  let changes = 0;
  const follower = {
    changed: () => void changes++,
    report: (_: string, error: PorticoError | undefined) => void told.push(error?.message),
  };
  const names = new HostNames(resolver, clock);
  return { clock, resolver, told, names, follower, changes: () => changes };
}

describe("HostNames", () => {
  test("HostNames ask at once, and again when the TTL ends", async () => {
    const { clock, resolver, names, follower, changes } = hosts();
    resolver.replies["a"] = found(30, "192.0.2.1");
    const followed = names.follow("a", follower);
    assert.deepEqual(followed.addresses, []);
    await followed.first;
    assert.deepEqual(followed.addresses, ["192.0.2.1"]);
    await clock.move(29_999);
    assert.equal(resolver.asked.length, 1);
    resolver.replies["a"] = found(30, "192.0.2.2");
    await clock.move(2);
    assert.deepEqual(followed.addresses, ["192.0.2.2"]);
    await clock.move(30_000);
    assert.deepEqual([resolver.asked.length, changes()], [3, 2]);
    followed.end();
    assert.equal(clock.timers, 0);
    await clock.move(60_000);
    assert.equal(resolver.asked.length, 3);
  });
  test("HostNames ask no sooner than in 5 s, whatever the TTL is, and once for all that follow", async () => {
    const { clock, resolver, names, follower } = hosts();
    resolver.replies["a"] = found(0, "192.0.2.1");
    const [one, other] = [names.follow("a", follower), names.follow("a", { ...follower })];
    await Promise.all([one.first, other.first]);
    await clock.move(4900);
    assert.equal(resolver.asked.length, 1);
    await clock.move(200);
    assert.equal(resolver.asked.length, 2);
    one.end();
    assert.deepEqual(other.addresses, ["192.0.2.1"]);
    await clock.move(5000);
    assert.equal(resolver.asked.length, 3);
    other.end();
  });
  test("HostNames keep what they knew for an hour when nobody answers, and tell it once", async () => {
    const { clock, resolver, names, follower, told } = hosts();
    resolver.replies["a"] = found(60, "192.0.2.1");
    const followed = names.follow("a", follower);
    await followed.first;
    resolver.replies["a"] = new Error("silence");
    await clock.move(LAST_KNOWN - 1000);
    assert.deepEqual(followed.addresses, ["192.0.2.1"]);
    assert.deepEqual(told, ["a cannot be resolved (silence): its last addresses hold for an hour"]);
    // Doubled up to a minute: some 60 times in an hour.
    assert.ok(resolver.asked.length > 55 && resolver.asked.length < 75, `${resolver.asked.length}`);
    await clock.move(62_000);
    assert.deepEqual(followed.addresses, []);
    resolver.replies["a"] = found(60, "192.0.2.9");
    await clock.move(61_000);
    assert.deepEqual(followed.addresses, ["192.0.2.9"]);
    assert.deepEqual(told.slice(1), [undefined]);
    followed.end();
  });
  test("HostNames take it that a name has no address, where that is the answer", async () => {
    const { clock, resolver, names, follower, told } = hosts();
    resolver.replies["a"] = found(60, "192.0.2.1");
    const followed = names.follow("a", follower);
    await followed.first;
    delete resolver.replies["a"];
    await clock.move(60_000);
    assert.deepEqual(followed.addresses, []);
    assert.deepEqual(told, ["a has no address: rules about it are about nobody"]);
    followed.end();
  });
  test("HostNames ask for 32 at once, of however many there are", async () => {
    const { resolver, names, follower } = hosts();
    const gate = Promise.withResolvers<Found>();
    const all = Array.from({ length: 100 }, (_, n) => {
      resolver.replies[`h${n}`] = gate.promise;
      return names.follow(`h${n}`, follower);
    });
    await turns();
    assert.equal(resolver.asked.length, 32);
    gate.resolve(found(60, "192.0.2.1"));
    await Promise.all(all.map(({ first }) => first));
    assert.equal(new Set(resolver.asked).size, 100);
    for (const one of all) one.end();
  });
});

function peers(...domains: string[]) {
  const [clock, resolver] = [new HandClock(), new HandResolver()];
  const names = new PeerNames(resolver, clock, () => 5000);
  names.concern(domains);
  let told = 0;
  return {
    clock,
    resolver,
    names,
    told: () => told,
    ask: (address: string, weight = 1) => names.ask(address, weight, () => void told++),
  };
}

describe("PeerNames", () => {
  test("PeerNames find a name that leads back, and ask once until its TTL ends", async () => {
    const { clock, resolver, names, told, ask } = peers("example.org");
    resolver.replies["192.0.2.1"] = found(60, "a.example.org");
    resolver.replies["a.example.org"] = found(20, "192.0.2.7", "192.0.2.1");
    assert.equal(names.known("192.0.2.1"), undefined);
    ask("192.0.2.1");
    ask("192.0.2.1");
    assert.equal(told(), 0);
    await turns();
    assert.equal(told(), 2);
    assert.deepEqual(names.known("192.0.2.1"), ["a.example.org"]);
    assert.deepEqual(resolver.asked, ["192.0.2.1", "a.example.org"]);
    await clock.move(20_001);
    assert.equal(names.known("192.0.2.1"), undefined);
    assert.deepEqual(names.latest("192.0.2.1"), ["a.example.org"]);
    assert.equal(clock.timers, 0);
  });
  test("PeerNames do not believe a name that does not lead back", async () => {
    const { resolver, names, ask } = peers("example.org");
    resolver.replies["192.0.2.1"] = found(60, "good.example.org", "bad.example.org");
    resolver.replies["good.example.org"] = found(60, "192.0.2.2");
    resolver.replies["bad.example.org"] = new Error("SERVFAIL");
    ask("192.0.2.1");
    await turns();
    assert.deepEqual(names.known("192.0.2.1"), []);
  });
  test("PeerNames compare addresses of IPv6, however they are written", async () => {
    const { resolver, names, ask } = peers("example.org");
    resolver.replies["2001:db8::1"] = found(60, "six.example.org");
    resolver.replies["six.example.org"] = found(60, "2001:0db8:0:0::1");
    ask("2001:db8::1");
    await turns();
    assert.deepEqual(names.known("2001:db8::1"), ["six.example.org"]);
  });
  test("PeerNames look at no name that no rule is about, and at eight of an address", async () => {
    const { resolver, names, ask } = peers("example.org");
    const many = Array.from({ length: 20 }, (_, n) => `n${n}.example.org`);
    resolver.replies["192.0.2.1"] = found(60, "x.example.net", "example.org", ...many);
    ask("192.0.2.1");
    await turns();
    assert.deepEqual(resolver.asked, ["192.0.2.1", ...many.slice(0, 8)]);
    // Another rule: what was found without it says nothing of it.
    names.concern(["example.net"]);
    assert.equal(names.known("192.0.2.1"), undefined);
  });
  test("PeerNames remember that there is no name, and that nobody has said anything", async () => {
    const { clock, resolver, names, ask } = peers("example.org");
    ask("192.0.2.1");
    resolver.replies["192.0.2.2"] = new Error("SERVFAIL");
    ask("192.0.2.2");
    await turns();
    assert.deepEqual([names.known("192.0.2.1"), names.known("192.0.2.2")], [[], []]);
    await clock.move(10_001);
    assert.deepEqual([names.known("192.0.2.1"), names.known("192.0.2.2")], [[], undefined]);
    await clock.move(50_000);
    assert.equal(names.known("192.0.2.1"), undefined);
  });
  test("PeerNames are late after their time, from when they were asked, and learn what comes then", async () => {
    const { clock, resolver, names, told, ask } = peers("example.org");
    const gate = Promise.withResolvers<Found>();
    resolver.replies["192.0.2.1"] = gate.promise;
    resolver.replies["a.example.org"] = found(60, "192.0.2.1");
    ask("192.0.2.1");
    await clock.move(3000);
    ask("192.0.2.1");
    await clock.move(1999);
    assert.equal(told(), 0);
    await clock.move(2);
    assert.equal(told(), 2);
    assert.deepEqual(names.known("192.0.2.1"), []);
    gate.resolve(found(60, "a.example.org"));
    await turns();
    assert.deepEqual(names.known("192.0.2.1"), ["a.example.org"]);
    assert.equal(clock.timers, 0);
  });
  test("PeerNames bound who waits, by number for an address and by weight in all", async () => {
    const { clock, resolver, ask, told } = peers("example.org");
    const never = new Promise<Found>(() => {});
    for (let n = 0; n < 300; n++) resolver.replies[`10.0.${n >> 8}.${n & 255}`] = never;
    const asked = Array.from({ length: 257 }, () => ask("10.0.0.0"));
    assert.deepEqual(asked.map((one) => one !== undefined).indexOf(false), 256);
    asked[0]!();
    assert.notEqual(ask("10.0.0.0"), undefined);
    assert.equal(ask("10.0.0.1", 32 * 1024 * 1024), undefined);
    for (let n = 1; n < 300; n++) ask(`10.0.${n >> 8}.${n & 255}`);
    await turns();
    assert.equal(resolver.asked.length, 64);
    await clock.move(5001);
    assert.equal(told(), 256 + 299);
    assert.notEqual(ask("192.0.2.1", 32 * 1024 * 1024), undefined);
  });
  test("PeerNames ask for nobody who has left before his turn", async () => {
    const { resolver, ask } = peers("example.org");
    const never = new Promise<Found>(() => {});
    for (let n = 0; n < 64; n++) {
      resolver.replies[`10.0.0.${n}`] = n === 0 ? Promise.resolve().then(() => found(60)) : never;
    }
    for (let n = 1; n < 64; n++) ask(`10.0.0.${n}`);
    ask("10.0.0.0");
    const giveUp = ask("192.0.2.1");
    giveUp!();
    ask("192.0.2.2");
    await turns();
    assert.ok(resolver.asked.includes("192.0.2.2") && !resolver.asked.includes("192.0.2.1"));
  });
  test("PeerNames forget those first that were not asked for longest", async () => {
    const { resolver, names, ask } = peers("example.org");
    ask("192.0.2.1");
    await turns();
    for (let n = 0; n < 20_000; n++) {
      ask(`10.${n >> 16}.${n >> 8 & 255}.${n & 255}`);
      if (n % 64 === 0) {
        await turns(1);
        names.known("192.0.2.1");
      }
    }
    await turns();
    assert.deepEqual(names.known("192.0.2.1"), []);
    assert.equal(names.known("10.0.0.1"), undefined);
    assert.equal(resolver.asked.filter((one) => one === "192.0.2.1").length, 1);
  });
});
