/** `"end": true`: sessions end with the hours of the rule that has let them in. */
import assert from "node:assert/strict";
import { connect } from "node:net";
import { join } from "node:path";
import { describe, test, type TestContext } from "node:test";
import { fileURLToPath } from "node:url";
import { definePlugin } from "portico";
import { open } from "portico/testing";
import { type Clock, SYSTEM_CLOCK, type Timer } from "../runtime/core/clock.ts";
import { EndingRules, untilNextMinute } from "../runtime/core/access/ends.ts";
import { Address } from "../runtime/core/endpoint.ts";
import { AccessRules } from "../runtime/core/access/rules.ts";
import type { AccessRule } from "../runtime/core/plan.ts";
import { loadManifest } from "../runtime/daemon/loaded-manifest.ts";
import { Server } from "../runtime/daemon/server.ts";
import { load } from "../runtime/manifest/load.ts";
import echo from "../plugins/echo.ts";
import { inheritedFor } from "../runtime/activation/mod.ts";
import { adapter } from "./support/adapter.ts";
import { folder } from "./support/folder.ts";
import { InProcessServer } from "./support/in-process.ts";
import { StreamClient } from "./support/peers.ts";
import { lackingStrategy, SAMPLE } from "./support/strategies.ts";

/** The time in UTC so many minutes from now, `HH:MM`. */
const inMinutes = (minutes: number, from = Date.now()): string =>
  new Date(from + minutes * 60_000).toISOString().slice(11, 16);

const untilSoon = `${inMinutes(-60)}-${inMinutes(3)} UTC`;

describe("EndingRules", () => {
  const allow = (text: string, times: string, end?: true): AccessRule => ({
    action: text.startsWith("!") ? "deny" : "allow",
    text,
    subject: text.replace("!", ""),
    times: [times],
    ...(end && { end }),
  });
  test("EndingRules end whom a rule has let in that allows no more, and whom one denies from now on", () => {
    const rules = [
      allow("10.0.0.0/8", "08:00-18:00 Europe/Paris", true),
      allow("!10.1.0.0/16", "18:00-20:00 Europe/Paris", true),
      allow("10.2.0.0/16", "08:00-18:00 Europe/Paris"),
      allow("::1", "08:00-18:00 Europe/Paris"),
    ];
    const at = (time: string): number => Date.parse(`2026-11-27T${time}Z`);
    const access = new AccessRules({ rules, others: false });
    const ends = new EndingRules(access, at("12:00"));
    const ended = (time: string): string[] => {
      ends.look(at(time));
      return ["10.0.0.1", "10.1.0.1", "10.2.0.1", "::1"].filter((host) => {
        const remote = new Address("tcp", host, 1, "");
        return ends.ends(access.decide(remote, at(time)), access.about(remote));
      });
    };
    assert.deepEqual(ended("16:59:59"), []);
    assert.deepEqual(ended("17:00"), ["10.0.0.1", "10.1.0.1"]);
    assert.deepEqual(ended("17:01"), []);
    assert.deepEqual(ended("19:00"), [], "what denies no more ends nobody");
    assert.deepEqual(ended("12:00"), [], "a clock that was set back opens them again");
    assert.deepEqual(ended("17:00:30"), ["10.0.0.1", "10.1.0.1"]);
  });
  test("hours end by the clock on the wall, when clocks are changed too", () => {
    const rules = [allow("10.0.0.0/8", "Sun 01:00-02:30 Europe/Paris", true)];
    const began = Date.parse("2026-10-25T00:00:00Z");
    const access = new AccessRules({ rules, others: false });
    const ends = new EndingRules(access, began);
    const remote = new Address("tcp", "10.0.0.1", 1, "");
    const ended: string[] = [];
    for (let wall = began; wall < began + 4 * 3600_000; wall += untilNextMinute(wall)) {
      ends.look(wall);
      if (ends.ends(access.decide(remote, wall), access.about(remote))) {
        ended.push(new Date(wall).toISOString());
      }
    }
    // 02:30 comes twice: before the clocks are put back, and after.
    assert.deepEqual(ended, ["2026-10-25T00:30:00.000Z", "2026-10-25T01:30:00.000Z"]);
  });
});

/** Says at once what the rule says of its peer. */
const tells = definePlugin({
  name: "tells",
  transports: ["stream"],
  start: () => ({
    setup(session) {
      const { ruleOptions } = session;
      session.write(ruleOptions === undefined ? "none" : JSON.stringify(ruleOptions));
    },
    data() {},
  }),
});

const STREAMED = ["tcp", "unix"] as const;

describe("sessions whose hours end", () => {
  test("a session of a rule that ends is over within the minute, another one stays", async () => {
    const access = {
      allow: [
        { from: "10.0.0.1", times: untilSoon, end: true },
        { from: "10.0.0.2", times: untilSoon },
        { from: ["10.0.0.3", "10.0.0.0/24"], times: untilSoon, end: true },
        "10.0.0.3-10.0.0.4",
      ],
    };
    await using service = await open(echo, { access, transport: "tcp" });
    const peers = [1, 2, 3, 5].map((n) => service.connect({ from: `10.0.0.${n}` }));
    for (const peer of peers) {
      peer.send("x");
      await peer.expect("x");
    }
    await service.clock.advance("1m");
    assert.deepEqual(peers.map(({ over }) => over), [false, false, false, false]);
    await service.clock.advance("3m");
    assert.deepEqual(peers.map(({ over }) => over), [true, false, false, true]);
    const { reason, record } = await peers[0]!.closed;
    assert.deepEqual([reason, record?.["event"]], ["access", "close"]);
  });
  for (const strategy of ["threads", "spawn"] as const) {
    test(`the same in memory, under ${strategy}`, async () => {
      const access = {
        allow: [{ from: "10.0.0.1", times: untilSoon, end: true, options: { A: "1" } }, "10.0.0.2"],
      };
      await using service = await open(tells, { access, transport: "tcp", strategy });
      const peer = service.connect({ from: "10.0.0.1" });
      const stays = service.connect({ from: "10.0.0.2" });
      await peer.expect('{"A":"1"}');
      await stays.expect("none");
      await service.clock.advance("4m");
      assert.equal((await peer.closed).reason, "access");
      assert.equal(stays.over, false);
    });
  }
  test("what denies from now on ends who is in", async () => {
    const access = {
      deny: [{ from: "10.0.0.0/8", times: `${inMinutes(2)}-${inMinutes(90)} UTC`, end: true }],
    };
    await using service = await open(echo, { access, transport: [...STREAMED] });
    const peer = service.connect({ transport: "tcp", from: "10.0.0.1" });
    const local = service.connect({ transport: "unix" });
    await service.clock.advance("3m");
    assert.deepEqual([peer.over, local.over], [true, false]);
    assert.equal((await peer.closed).reason, "access");
  });
  test("who waits is refused by the rule, who asks is answered with 503, a datagram with nothing", async () => {
    const plugin = definePlugin({
      name: "waits",
      transports: ["stream", "datagram", "http"],
      start: () => ({
        handle: (session) =>
          new Promise((resolve) => session.signal.addEventListener("abort", () => resolve())),
        fetch: () => new Promise<Response>(() => {}),
      }),
    });
    const access = { allow: [{ from: "0.0.0.0/0", times: untilSoon, end: true }] };
    await using service = await open(plugin, { access, max: 3, limits: { hold: "1h" } });
    const stream = service.connect({ transport: "tcp" });
    const datagram = service.connect({ transport: "udp" });
    datagram.send("x");
    const answer = service.fetch("/");
    await service.clock.advance("1s");
    const waiting = service.connect({ transport: "tcp" });
    await service.clock.advance("4m");
    assert.equal((await stream.closed).reason, "access");
    assert.equal((await answer).status, 503);
    assert.equal((await waiting.closed).record?.["rule"], `allow 0.0.0.0/0, only ${untilSoon}`);
    await datagram.expectNothing();
    assert.equal(service.status.live, 0);
  });
});

/** The system's clock, but that the minutes of its wall come when the test says so. */
class HandWall implements Clock {
  #wall = Math.floor(Date.now() / 60_000) * 60_000 + 1000;
  readonly #waiting: (() => void)[] = [];

  now = (): number => SYSTEM_CLOCK.now();
  wall = (): number => this.#wall;
  setInterval = SYSTEM_CLOCK.setInterval;
  clear = SYSTEM_CLOCK.clear;

  setTimeout(callback: () => void, ms: number): Timer {
    if (ms !== untilNextMinute(this.#wall)) return SYSTEM_CLOCK.setTimeout(callback, ms);
    this.#waiting.push(callback);
    return undefined as unknown as Timer;
  }

  nextMinute(): void {
    this.#wall += 60_000;
    for (const callback of this.#waiting.splice(0)) callback();
  }
}

describe("sessions whose hours end, under every strategy", () => {
  for (const strategy of SAMPLE) {
    test(`under ${strategy}`, { skip: lackingStrategy(strategy) }, async (t: TestContext) => {
      const clock = new HandWall();
      const until = `${inMinutes(-60, clock.wall())}-${inMinutes(1, clock.wall())} UTC`;
      const home = folder(t, {
        "portico.json": JSON.stringify({
          services: {
            s: {
              plugin: "echo",
              listen: "tcp://127.0.0.1:0",
              concurrency: strategy,
              access: { allow: [{ from: "127.0.0.1", times: until, end: true }, "::1"] },
            },
          },
        }),
      });
      const read = () => load(join(home, "portico.json"), {});
      const { services } = await loadManifest(read, { json: true });
      const records = new InProcessServer(adapter);
      const server = new Server({
        adapter,
        clock,
        worker: fileURLToPath(new URL("../runtime/worker.ts", import.meta.url).href),
        inherit: async ({ endpoint }) => await inheritedFor(endpoint, await adapter.descriptors()),
      });
      await server.start(services.map((service) => ({ ...service, log: records.log() })));
      t.after(() => server.kill());
      const { port } = server.endpoints[0]!.address;
      const peer = new StreamClient(connect(port, "127.0.0.1"));
      await peer.echo("let in");
      clock.nextMinute();
      await peer.over();
      const record = await records.record({ event: "close" });
      assert.equal(record["reason"], "access");
    });
  }
});
