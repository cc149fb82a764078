/** Limits with many at once, under every strategy: exact over all workers, and told as the peers have seen it. */
import assert from "node:assert/strict";
import { mkdirSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { parseEndpoint } from "../../runtime/core/endpoint.ts";
import { folder } from "../support/folder.ts";
import { StreamClient } from "../support/peers.ts";
import { controlled, probe } from "../support/probe.ts";
import { get } from "../support/requests.ts";
import { type ServerProcess, startServer } from "../support/server-process.ts";
import { lackingStrategy, SAMPLE, type StrategyName } from "../support/strategies.ts";
import { until } from "../support/until.ts";

/** A strategy, and how many peers of a crowd it bears that are all to be served in the end. */
const STRATEGIES: readonly (readonly [StrategyName, object, number])[] = [
  ["async", { strategy: "async" }, 200],
  ["threads", { strategy: "threads", workers: 4 }, 200],
  ["processes", { strategy: "processes", workers: 4 }, 200],
  ["spawn", { strategy: "spawn", max: 60 }, 60],
];

class Guest extends StreamClient {
  get served(): boolean {
    return this.received > 0;
  }

  get settled(): boolean {
    return this.served || this.ended || this.gone;
  }
}

/** Of what was refused, how often for each cause. */
type Causes = Record<string, number>;

function countOf(causes: readonly unknown[]): Causes {
  const counts: Causes = {};
  for (const cause of causes) counts[String(cause)] = (counts[String(cause)] ?? 0) + 1;
  return counts;
}

class Crowd {
  readonly #t: TestContext;
  readonly #server: ServerProcess;
  readonly service: string;

  constructor(t: TestContext, server: ServerProcess, service: string) {
    this.#t = t;
    this.#server = server;
    this.service = service;
  }

  /** One from each of these addresses, all at once; resolves when each knows whether it is served, unless some may wait. */
  async come(from: readonly string[], some?: number): Promise<Guest[]> {
    const { host, port } = parseEndpoint(this.#server.endpoint(this.service, "tcp")) as {
      host: string;
      port: number;
    };
    const guests = from.map((localAddress) => {
      const socket = connect({ host, port, localAddress });
      const guest = new Guest(socket);
      // Who is refused may have no address any more when it looks.
      socket.on("connect", () => guest.name = `tcp://${localAddress}:${socket.localPort}`);
      this.#t.after(() => void socket.destroy());
      return guest;
    });
    const settled = (): number => guests.filter((guest) => guest.settled).length;
    const wanted = some ?? guests.length;
    const what = (): string => `${wanted} of ${this.service} to be settled; ${settled()} are`;
    await until(what, () => settled() >= wanted, 30_000, settled);
    return guests;
  }

  /** Waits until so many are in. */
  async lives(count: number): Promise<void> {
    let live: unknown;
    for (const end = performance.now() + 30_000; performance.now() < end;) {
      live = (await this.#server.status(this.service))["live"];
      if (live === count) return;
    }
    assert.fail(`${live} are in, not ${count}`);
  }

  /** What the records tell of refusals, once there are so many. */
  async refusals(count: number): Promise<Causes> {
    const pattern = { event: "refuse", service: this.service };
    const records = await this.#server.count(count, pattern);
    return countOf(records.map(({ rule, limit }) => rule ?? limit));
  }
}

const times = (count: number, from = "127.0.0.1"): string[] => Array(count).fill(from);
const served = (guests: readonly Guest[]): Guest[] => guests.filter((guest) => guest.served);
/** 127.0.0.2 and so on, in turns. */
const sources = (count: number, each: number): string[] =>
  Array.from({ length: count * each }, (_, i) => `127.0.0.${2 + i % count}`);

for (const [strategy, concurrency, bears] of STRATEGIES) {
  if (!SAMPLE.includes(strategy)) continue;
  const skip = lackingStrategy(strategy);
  const start = async (t: TestContext, service: string, limits: object, more: object = {}) => {
    const home = folder(t, {});
    const present = join(home, "present");
    mkdirSync(present);
    const services = {
      [service]: probe(concurrency, { present }, { limits: { drain: "0s", ...limits }, ...more }),
      admin: { plugin: "admin", listen: "http://127.0.0.1:0" },
    };
    const server = await startServer(t, folder(t, controlled(services)));
    return { server, crowd: new Crowd(t, server, service) };
  };

  test(`${strategy}: of 200 at once 50 are served where 50 may be, then as many as have left`, {
    skip,
  }, async (t) => {
    const { server, crowd } = await start(t, "sessions", { sessions: 50 });
    const first = await crowd.come(times(200));
    assert.equal(served(first).length, 50);
    assert.deepEqual(await crowd.refusals(150), { sessions: 150 });
    for (const guest of served(first).slice(0, 20)) guest.leave();
    await crowd.lives(30);
    const second = await crowd.come(times(60));
    assert.equal(served(second).length, 20);
    assert.deepEqual(await crowd.refusals(190), { sessions: 190 });
    // How many there were when it was let in, as its handler saw it.
    const seen = [...first, ...second].map(({ text }) => parseInt(text) || 0);
    assert.equal(Math.max(...seen), 50);
    await server.stop();
  });

  test(`${strategy}: of ${bears} at once 50 are served at any time where the others wait`, {
    skip,
  }, async (t) => {
    const limits = { sessions: 50, overflow: "hold", hold: "5m" };
    const { server, crowd } = await start(t, "waiting", limits);
    const guests = await crowd.come(times(bears), 50);
    const left = new Set<Guest>();
    for (;;) {
      const wanted = Math.min(bears, 50 + left.size);
      const now = (): number => served(guests).length;
      await until(() => `${wanted} to be served; ${now()} are`, () => now() >= wanted);
      assert.equal(now(), wanted, "not one more than may be");
      if (wanted === bears) break;
      const leaver = served(guests).find((guest) => !left.has(guest))!;
      left.add(leaver);
      leaver.leave();
    }
    assert.equal(Math.max(...guests.map(({ text }) => parseInt(text))), 50);
    assert.deepEqual(server.all({ event: "refuse" }), []);
    await server.stop();
  });

  test(`${strategy}: of 10 from each of 20 addresses at once exactly 3 of each are served`, {
    skip,
  }, async (t) => {
    const { server, crowd } = await start(t, "source", { perSource: 3 });
    const from = sources(20, 10);
    const guests = await crowd.come(from);
    const each = countOf(from.filter((_, i) => guests[i]!.served));
    assert.deepEqual(each, Object.fromEntries(sources(20, 1).map((address) => [address, 3])));
    assert.deepEqual(await crowd.refusals(140), { perSource: 140 });
    await server.stop();
  });

  test(`${strategy}: a bucket is one for all workers: of 200 at once it lets its burst through`, {
    skip,
  }, async (t) => {
    const { server, crowd } = await start(t, "rate", { rate: "10/h burst 25" });
    const guests = await crowd.come(times(200));
    assert.equal(served(guests).length, 25);
    assert.deepEqual(await crowd.refusals(175), { rate: 175 });
    await server.stop();
  });

  test(`${strategy}: who was refused is in the records, one by one, and in the metrics by cause`, {
    skip,
  }, async (t) => {
    const limits = { sessions: 20, perSource: 4, rate: "30/h" };
    const access = { deny: ["127.0.0.3", "127.0.0.8/31"] };
    const { server, crowd } = await start(t, "mixed", limits, { access });
    const guests: Guest[] = [];
    /** Ten from each at once, of whom so many are to be served. */
    const wave = async (count: number, ...last: number[]): Promise<void> => {
      const from = Array.from({ length: 10 }, () => last.map((part) => `127.0.0.${part}`)).flat();
      const came = await crowd.come(from);
      assert.equal(served(came).length, count);
      guests.push(...came);
    };
    await wave(12, 2, 4, 5);
    await wave(8, 6, 7, 3, 10, 11);
    for (const guest of served(guests).slice(0, 5)) guest.leave();
    await crowd.lives(15);
    await wave(5, 12, 13, 8, 9);
    for (const guest of guests) guest.leave();
    await crowd.lives(0);
    // That many were left of those that the rate lets through.
    await wave(5, 15, 16, 17);

    const refused = guests.filter((guest) => !guest.served);
    const causes = await crowd.refusals(refused.length);
    const { rate, perSource, sessions, ...rules } = causes;
    assert.deepEqual(rules, { "deny 127.0.0.3": 10, "deny 127.0.0.8/31": 20 });
    assert.ok(rate! > 0 && perSource! > 0 && sessions! > 0, JSON.stringify(causes));
    const named = server.all({ event: "refuse" }).map(({ remote }) => String(remote));
    assert.equal(named.length, refused.length);
    // Who was refused before it could look has no name.
    for (const { name } of refused) assert.ok(name === "" || named.includes(name), name);
    for (const { name } of served(guests)) assert.ok(!named.includes(name), name);
    const { text } = await get(server.endpoint("admin", "http"), "/metrics");
    const counted: Causes = {};
    for (
      const [, labels, count] of text.matchAll(/^portico_sessions_refused_total\{(.*)\} (\d+)$/gm)
    ) {
      const [, cause] = /service="mixed".*cause="([^"]*)"/.exec(labels!) ?? [];
      if (cause !== undefined && count !== "0") counted[cause] = Number(count);
    }
    assert.deepEqual(counted, causes);
    for (const guest of guests) guest.leave();
    await crowd.lives(0);
    await server.count(30, { event: "close", service: "mixed" });
    assert.equal(server.all({ event: "open", service: "mixed" }).length, 30);
    await server.stop();
  });
}
