/** Bans of a server that runs: in force in all services, by the next who comes, for as long as they are to be. */
import assert from "node:assert/strict";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { Agent, request } from "node:http";
import { connect } from "node:net";
import { networkInterfaces } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { describe, test } from "node:test";
import type { Chances, SourceStatus } from "../../runtime/control/policy.ts";
import { parseEndpoint } from "../../runtime/core/endpoint.ts";
import type { StoredBan } from "../../runtime/services/bans/stored.ts";
import { lackingFeature } from "../support/adapter.ts";
import { portico } from "../support/command.ts";
import { ManagedServer, TCP, UDP } from "../support/managed-server.ts";
import { askOnce, dial, openUdp, StreamClient } from "../support/peers.ts";
import type { Scope } from "../support/scope.ts";
import { pluginPath } from "../support/server-process.ts";
import { lackingStrategy, SAMPLE, type StrategyName } from "../support/strategies.ts";
import { within } from "../support/until.ts";
import { lackingPrograms } from "../support/packages.ts";
import { porticoOnTerminal, screen } from "../support/terminal.ts";
import { gone } from "../support/proc.ts";

const LOG = { type: "json", level: "debug" };
const OFFENDS = pluginPath("offends");

/** Only Linux has all of 127.0.0.0/8. */
const manyAddresses = process.platform !== "linux" && "only Linux has all of 127.0.0.0/8";

const concurrencyOf = (strategy: StrategyName): object => ({
  strategy,
  ...(strategy === "threads" || strategy === "processes" ? { workers: 2 } : {}),
});

/** Somebody comes from an address of his own. */
function comeFrom(scope: Scope, host: string, endpoint: string): StreamClient {
  const { port, ...place } = parseEndpoint(endpoint) as { host: string; port: number };
  const socket = connect({ host: place.host, port, localAddress: host });
  scope.after(() => void socket.destroy());
  return new StreamClient(socket);
}

/** Whether one is served who says something. */
async function isServed(scope: Scope, host: string, endpoint: string): Promise<boolean> {
  const peer = comeFrom(scope, host, endpoint);
  peer.send("hello\n");
  await peer.when("an echo, or the end", () => peer.text === "hello\n" || peer.ended || peer.gone);
  const served = peer.text === "hello\n";
  peer.leave();
  return served;
}

const bansOf = async (managed: ManagedServer): Promise<readonly StoredBan[]> =>
  await managed.ask("bans") as readonly StoredBan[];

const sourcesOf = async (managed: ManagedServer): Promise<string[]> =>
  (await bansOf(managed)).map(({ source }) => source);

describe("bans", { skip: manyAddresses }, () => {
  for (const strategy of SAMPLE) {
    test(`made in one service are in force in all within one accept (${strategy})`, {
      skip: lackingStrategy(strategy),
    }, async (t) => {
      const concurrency = concurrencyOf(strategy);
      const ban = { after: "3 refusals in 1m", for: "10m" };
      const managed = await ManagedServer.start(t, {
        trap: { plugin: "sensor", listen: TCP },
        plain: { plugin: "echo", listen: [TCP, UDP], concurrency },
        ruled: {
          plugin: "echo",
          listen: TCP,
          concurrency,
          ban,
          access: { deny: ["127.0.1.0/24"] },
        },
        verified: { plugin: OFFENDS, listen: TCP, concurrency, ban, options: { refuses: true } },
        login: { plugin: OFFENDS, listen: TCP, concurrency, ban },
      }, { defaults: { log: LOG, access: { never: ["127.0.0.99"] } } });
      const at = Object.fromEntries(
        await Promise.all(
          ["trap", "plain", "ruled", "verified", "login"].map(async (name) =>
            [name, await managed.endpoint(name, "tcp")] as const
          ),
        ),
      ) as Record<"trap" | "plain" | "ruled" | "verified" | "login", string>;
      const shutOut = async (host: string): Promise<void> => {
        for (const name of ["plain", "login", "ruled"] as const) {
          assert.equal(await isServed(t, host, at[name]), false, `${host} at ${name}`);
        }
      };

      // A sensor: one touch. Who is in stays in.
      const stays = comeFrom(t, "127.0.0.2", at.plain);
      await stays.echo("before");
      assert.equal(await isServed(t, "127.0.0.2", at.trap), false);
      await shutOut("127.0.0.2");
      await stays.echo(" and after");
      stays.leave();

      // Refusals by a rule, where the sockets are.
      for (let i = 0; i < 3; i++) {
        assert.equal(await isServed(t, "127.0.1.3", at.ruled), false);
        assert.equal(await isServed(t, "127.0.1.3", at.plain), i < 2);
      }
      await shutOut("127.0.1.3");

      // Refusals by verify, where the plugin is: the supervisor is told before the peer can know.
      for (let i = 0; i < 3; i++) await isServed(t, "127.0.0.4", at.verified);
      await managed.process.record({ event: "ban", source: "127.0.0.4" });
      await shutOut("127.0.0.4");

      // Offences that a plugin tells of, within one session.
      const guesser = comeFrom(t, "127.0.0.5", at.login);
      for (let i = 0; i < 3; i++) await guesser.echo("bad\n");
      await managed.process.record({ event: "ban", source: "127.0.0.5" });
      await shutOut("127.0.0.5");
      await guesser.echo("still in");
      guesser.leave();

      // Whom access.never names, and everybody else, is served.
      assert.equal(await isServed(t, "127.0.0.99", at.trap), false);
      for (const host of ["127.0.0.99", "127.0.0.7"]) {
        assert.equal(await isServed(t, host, at.plain), true, host);
      }

      const bans = await bansOf(managed);
      assert.deepEqual(
        bans.map(({ source, service, cause, for: length }) => [source, service, cause, length]),
        [
          ["127.0.0.2", "trap", "sensor", 3_600_000],
          ["127.0.1.3", "ruled", "3 refusals in 1m: rule deny 127.0.1.0/24", 600_000],
          ["127.0.0.4", "verified", "3 refusals in 1m: rule verify", 600_000],
          ["127.0.0.5", "login", "3 refusals in 1m: bad password", 600_000],
        ],
      );
      // Record for record: each who was shut out has one that names the ban, and is counted.
      const count = bans.reduce((sum, { refused = 0 }) => sum + refused, 0);
      const refusals = await managed.process.count(count, { event: "refuse", rule: "ban" });
      assert.equal(refusals.length, count);
      for (const { remote, until } of refusals) {
        const ban = bans.find(({ source }) => String(remote).startsWith(`tcp://${source}:`));
        assert.equal(until, ban?.until);
      }
      const { tally, refused } = await managed.service("plain");
      assert.equal(tally.refused["ban"], 5);
      assert.equal(refused, 5);
    });
  }

  test("are made by no datagram, whose sender can be forged; and those of the banned are not answered", async (t) => {
    const ban = { after: "2 refusals in 1m" };
    const managed = await ManagedServer.start(t, {
      trap: { plugin: "sensor", listen: UDP },
      ruled: { plugin: "echo", listen: UDP, ban, access: { deny: ["127.0.0.0/8"] } },
      plain: { plugin: "echo", listen: UDP },
    });
    const peer = await openUdp(t);
    const [trap, ruled, plain] = await Promise.all(
      ["trap", "ruled", "plain"].map((name) => managed.endpoint(name, "udp")),
    ) as [string, string, string];
    peer.send("x", trap);
    await managed.process.record({ event: "refuse", rule: "sensor" });
    for (let i = 0; i < 4; i++) peer.send("x", ruled);
    await managed.process.count(4, { event: "refuse", service: "ruled" });
    assert.deepEqual(await bansOf(managed), []);
    peer.send("answered", plain);
    await peer.when("an answer", () => peer.texts.includes("answered"));
    await managed.ask("ban", { source: "127.0.0.1" });
    peer.send("not answered", plain);
    await managed.process.record({ event: "refuse", service: "plain", rule: "ban" });
    assert.equal(peer.texts.includes("not answered"), false);
  });

  test("are answered with 403 over HTTP, on a connection that is kept, too; refused requests ban", async (t) => {
    const managed = await ManagedServer.start(t, {
      web: {
        plugin: pluginPath("web"),
        listen: "http://127.0.0.1:0",
        access: { deny: ["127.0.0.4"] },
        ban: { after: "2 refusals in 1m" },
      },
      plain: { plugin: "echo", listen: TCP },
    });
    const { port } = parseEndpoint(await managed.endpoint("web", "http")) as { port: number };
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    t.after(() => agent.destroy());
    const statusOf = (localAddress: string, kept?: Agent): Promise<number> =>
      within(
        "an answer",
        new Promise((resolve, reject) => {
          const options = { host: "127.0.0.1", port, localAddress, agent: kept ?? false };
          const sent = request(options, (answer) => {
            answer.resume();
            answer.on("end", () => resolve(answer.statusCode!));
          });
          sent.on("error", reject);
          sent.end();
        }),
      );
    assert.equal(await statusOf("127.0.0.3", agent), 200);
    await managed.ask("ban", { source: "127.0.0.3" });
    assert.equal(await statusOf("127.0.0.3", agent), 403);
    assert.equal(await statusOf("127.0.0.2"), 200);
    for (let i = 0; i < 2; i++) assert.equal(await statusOf("127.0.0.4"), 403);
    assert.deepEqual(await sourcesOf(managed), ["127.0.0.3", "127.0.0.4"]);
    assert.equal(await isServed(t, "127.0.0.4", await managed.endpoint("plain", "tcp")), false);
  });

  test("are by users over Unix sockets", { skip: lackingFeature("descriptors") }, async (t) => {
    const managed = await ManagedServer.start(t, {
      trap: { plugin: "sensor", listen: "unix:./trap" },
      plain: { plugin: "echo", listen: "unix:./s" },
      forked: {
        plugin: "echo",
        listen: "unix:./f",
        concurrency: { strategy: "processes", workers: 1 },
      },
    });
    const path = (name: string): string => `unix:${join(managed.home, name)}`;
    assert.equal(await askOnce(t, path("s"), "served"), "served");
    const caught = await dial(t, path("trap"));
    await caught.over();
    const source = `uid:${process.getuid!()}`;
    assert.deepEqual(await sourcesOf(managed), [source]);
    for (const name of ["s", "f"]) {
      const peer = await dial(t, path(name));
      await peer.over();
      assert.equal(peer.text, "");
    }
    assert.deepEqual(await managed.ask("unban", { source }), [source]);
    for (const name of ["s", "f"]) assert.equal(await askOnce(t, path(name), "again"), "again");
  });

  const ipv6 = Object.values(networkInterfaces()).flat().some((one) => one?.address === "::1");
  test("are by /64 of IPv6", { skip: !ipv6 && "there is no ::1" }, async (t) => {
    const managed = await ManagedServer.start(t, {
      trap: { plugin: "sensor", listen: "tcp://[::1]:0" },
      plain: { plugin: "echo", listen: ["tcp://[::1]:0", TCP] },
    });
    const endpoints = (await managed.service("plain")).endpoints;
    assert.equal(await isServed(t, "::1", endpoints[0]!), true);
    assert.equal(await isServed(t, "::1", await managed.endpoint("trap", "tcp")), false);
    assert.deepEqual(await sourcesOf(managed), ["::/64"]);
    assert.equal(await isServed(t, "::1", endpoints[0]!), false);
    assert.equal(await isServed(t, "127.0.0.1", endpoints[1]!), true);
  });

  test("outlive reloads and upgrades, and what is made meanwhile; a restart in a file", {
    skip: lackingFeature("descriptors"),
  }, async (t) => {
    const more = { bans: { file: "./bans.json", most: 50 }, defaults: { log: LOG } };
    const services = (limits: object) => ({
      trap: { plugin: "sensor", listen: TCP, limits },
      plain: {
        plugin: "echo",
        listen: TCP,
        limits,
        concurrency: { strategy: "processes", workers: 1 },
      },
    });
    const managed = await ManagedServer.start(t, services({}), more);
    const plain = await managed.endpoint("plain", "tcp");
    const trap = await managed.endpoint("trap", "tcp");
    await isServed(t, "127.0.0.2", trap);
    await managed.ask("ban", { source: "10.0.0.0/8", reason: "because" });

    managed.write(services({ idle: "50s" }), more);
    assert.deepEqual((await managed.reload()).changed, ["trap", "plain"]);
    assert.equal(await isServed(t, "127.0.0.2", plain), false);
    managed.write(services({ idle: "50s" }), { ...more, bans: { file: "./other.json" } });
    await assert.rejects(managed.reload(), /bans\.file cannot be changed by a reload/);
    managed.write(services({ idle: "50s" }), more);

    const old = managed.process.pid;
    const upgraded = managed.upgrade();
    // While the successor starts, both let in.
    await managed.ask("ban", { source: "127.0.0.3" }).catch(() => {});
    const successor = await upgraded;
    await gone([old]);
    const sources = await sourcesOf(managed);
    assert.ok(sources.includes("127.0.0.2") && sources.includes("10.0.0.0/8"), sources.join());
    assert.ok(sources.includes("127.0.0.3"), sources.join());
    for (const host of ["127.0.0.2", "127.0.0.3"]) {
      assert.equal(await isServed(t, host, plain), false, host);
    }
    await isServed(t, "127.0.0.4", trap);
    await managed.ask("unban", { source: "127.0.0.3" });
    await managed.ask("stop", {}, { toTheEnd: true });
    await gone([successor]);

    const kept = JSON.parse(readFileSync(join(managed.home, "bans.json"), "utf8"));
    assert.deepEqual(
      kept.bans.map(({ source }: StoredBan) => source).toSorted(),
      ["10.0.0.0/8", "127.0.0.2", "127.0.0.4"],
    );
    await managed.startAs({});
    const again = await managed.endpoint("plain", "tcp");
    assert.equal(await isServed(t, "127.0.0.2", again), false);
    assert.equal(await isServed(t, "127.0.0.4", again), false);
    assert.equal(await isServed(t, "127.0.0.3", again), true);
    const found = (await bansOf(managed)).find(({ source }) => source === "10.0.0.0/8");
    assert.equal(found?.cause, "because");
  });

  test("by what the last sessions of a server do are in force in its successor", {
    skip: lackingFeature("descriptors"),
  }, async (t) => {
    const ban = { after: "1 refusals in 1m", for: "10m" };
    const managed = await ManagedServer.start(t, {
      judged: { plugin: OFFENDS, listen: TCP, ban },
      plain: { plugin: "echo", listen: TCP },
    }, { defaults: { log: LOG } });
    const peer = comeFrom(t, "127.0.0.9", await managed.endpoint("judged", "tcp"));
    peer.send("hello\n");
    await peer.when("an answer", () => peer.text !== "");
    const old = managed.process.pid;
    const successor = await managed.upgrade();
    peer.send("bad\n");
    const end = performance.now() + 30_000;
    while (!(await sourcesOf(managed)).includes("127.0.0.9")) assert.ok(performance.now() < end);
    assert.equal(await isServed(t, "127.0.0.9", await managed.endpoint("plain", "tcp")), false);
    peer.leave();
    await gone([old]);
    await managed.ask("stop");
    await gone([successor]);
  });

  test("of a file that is damaged are told of, and the server starts", async (t) => {
    const managed = ManagedServer.prepare(
      t,
      { plain: { plugin: "echo", listen: TCP } },
      { bans: { file: "./bans.json" }, defaults: { log: LOG } },
    );
    writeFileSync(join(managed.home, "bans.json"), '{ "portico": 1, "bans": [{"source":"127.0');
    await managed.startAs({});
    const { level, message, side } = await managed.process.record({ event: "error" });
    assert.deepEqual([level, side], ["warn", "host"]);
    assert.match(String(message), /^the bans in .*bans\.json are not in force: .*damaged-/);
    assert.equal(await isServed(t, "127.0.0.2", await managed.endpoint("plain", "tcp")), true);
    assert.equal(readdirSync(managed.home).filter((name) => /damaged/.test(name)).length, 1);
  });

  test("end by themselves, with a record", async (t) => {
    const managed = await ManagedServer.start(t, {
      trap: { plugin: "sensor", listen: TCP, ban: { for: "2s" } },
      plain: { plugin: "echo", listen: TCP },
    });
    const plain = await managed.endpoint("plain", "tcp");
    await isServed(t, "127.0.0.2", await managed.endpoint("trap", "tcp"));
    assert.equal(await isServed(t, "127.0.0.2", plain), false);
    const { source, reason, refused, service } = await managed.process.record("unban");
    assert.deepEqual([source, reason, refused, service], ["127.0.0.2", "over", 1, "trap"]);
    assert.equal(await isServed(t, "127.0.0.2", plain), true);
  });

  test("are shown, made and lifted by portico ctl; explain and top know of them", async (t) => {
    const managed = await ManagedServer.start(t, {
      plain: {
        plugin: "echo",
        listen: TCP,
        limits: { sessions: 9, perSource: 3, ratePerSource: "20/h burst 5" },
      },
    });
    const plain = await managed.endpoint("plain", "tcp");
    const ctl = (...words: string[]) => portico("ctl", ...words, "--socket", managed.control);
    assert.equal((await ctl("bans")).out, "nobody is banned\n");
    const banned = await ctl("ban", "127.0.0.0/30", "--for", "20m", "--reason", "as a test");
    assert.match(banned.out, /^ban: 127\.0\.0\.0\/30 until 20\d\d-.*Z\n$/);
    assert.equal(await isServed(t, "127.0.0.2", plain), false);
    const wrong = await ctl("ban", "localhost");
    assert.equal(wrong.code, 1);
    assert.match(wrong.err, /"localhost" is no source: ADDRESS, ADDRESS\/PREFIX or uid:N/);
    assert.match((await ctl("ban", "uid:7")).err, /no service asks who comes .* "bans": \{\}/);
    assert.match((await ctl("ban", "127.0.0.9", "--for", "soon")).err, /--for "soon"/);
    assert.match((await ctl("unban", "127.0.0.2")).err, /not banned, but 127\.0\.0\.0\/30 is/);
    assert.match((await ctl("unban")).err, /neither SOURCE nor --all/);
    const lines = (await ctl("bans")).out.split("\n").map((line) => line.split(/ {2,}/));
    assert.deepEqual(lines[0], ["source", "until", "refused", "service", "cause"]);
    assert.deepEqual([lines[1]![0], ...lines[1]!.slice(2)], [
      "127.0.0.0/30",
      "1",
      "-",
      "as a test",
    ]);

    // How full the limits are is what the server's own code says.
    const two = [comeFrom(t, "127.0.0.8", plain), comeFrom(t, "127.0.0.8", plain)];
    for (const peer of two) await peer.echo("abc");
    const explain = async (from: string, ...words: string[]) =>
      JSON.parse(
        (await portico("explain", managed.home, "plain", "--from", from, "--json", ...words)).out,
      );
    const { answer, limits } = await explain("127.0.0.8");
    assert.equal(answer, "served");
    assert.deepEqual([limits.sessions, limits.perSource], [
      { most: 9, now: 2, overflow: "refuse" },
      { most: 3, now: 2, overflow: "refuse" },
    ]);
    assert.equal(Math.floor(limits.ratePerSource.tokens), 3);
    const both = await explain("127.0.0.8", "--count", "2");
    assert.deepEqual([both.answer, both.limit], ["refused", "perSource"]);
    const other = await explain("127.0.0.2");
    assert.deepEqual([other.answer, other.rule, other.ban.cause], ["refused", "ban", "as a test"]);
    const { out } = await portico("explain", managed.home, "plain", "--from", "127.0.0.2");
    assert.match(out, /refused {2}ban until 20\d\d-.*Z {2}as a test/);
    assert.match(out, /sessions +9 +2 now +then refuse\n/);
    const chances = await managed.ask("explain", {
      service: "plain",
      from: "127.0.0.2",
    }) as Chances;
    assert.equal(chances.ban?.source, "127.0.0.0/30");

    const top = JSON.parse((await ctl("top", "--json")).out) as SourceStatus[];
    assert.deepEqual(top[0], {
      source: "127.0.0.8",
      sessions: 2,
      bytesIn: 6,
      bytesOut: 6,
      arrived: 0,
      refused: 0,
    });
    await isServed(t, "127.0.0.3", plain);
    const table = (await ctl("top", "--by", "refusals")).out.split("\n");
    assert.match(table[1]!, /^127\.0\.0\.3 +0 +0 +0 +1 +1$/);
    assert.equal((await ctl("unban", "--all")).out, "unban: 127.0.0.0/30\n");
    assert.equal((await ctl("unban", "--all")).out, "unban: nobody was banned\n");
    assert.equal(await isServed(t, "127.0.0.2", plain), true);
  });

  test("top shows them on a terminal, one table over the other, until Ctrl-C", {
    skip: lackingPrograms("script"),
  }, async (t) => {
    const managed = await ManagedServer.start(t, { plain: { plugin: "echo", listen: TCP } });
    const plain = await managed.endpoint("plain", "tcp");
    const words = ["ctl", "top", "--socket", managed.control];
    const terminal = porticoOnTerminal(t, managed.home, ...words);
    await terminal.says("arrivals");
    const peer = comeFrom(t, "127.0.0.6", plain);
    await peer.echo("hello");
    const row = /127\.0\.0\.6 +1 +5 B +5 B +1 +0/;
    await terminal.when("its row", () => row.test(screen(terminal)));
    peer.leave();
    await terminal.when(
      "the end of its session",
      () => /127\.0\.0\.6 +0 +0 +0 +1 +0/.test(screen(terminal)),
    );
    terminal.send("\x03");
    await terminal.ended();
  });

  for (const strategy of ["threads", "processes", "spawn"] as const) {
    test(`top knows what goes through the sessions of workers (${strategy})`, {
      skip: lackingStrategy(strategy),
    }, async (t) => {
      const concurrency = concurrencyOf(strategy);
      const managed = await ManagedServer.start(t, {
        plain: { plugin: "echo", listen: TCP, concurrency },
      });
      const plain = await managed.endpoint("plain", "tcp");
      const peers = ["127.0.0.2", "127.0.0.2", "127.0.0.3"].map((host) => comeFrom(t, host, plain));
      for (const peer of peers) await peer.echo("x".repeat(1000));
      const top = await within("an answer", managed.ask("top")) as SourceStatus[];
      const plainly = top.map((
        { source, sessions, bytesIn, bytesOut },
      ) => [source, sessions, bytesIn, bytesOut]).toSorted();
      assert.deepEqual(plainly, [["127.0.0.2", 2, 2000, 2000], ["127.0.0.3", 1, 1000, 1000]]);
      for (const peer of peers) peer.leave();
      await managed.until("plain", ({ live }) => live === 0);
    });
  }
});
