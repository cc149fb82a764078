/** Peers that behave badly, machines that run short, plugins that fail: what suffers is one session, and no other. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, afterEach, before, describe, test } from "node:test";
import { assertBytes, pattern } from "../conformance/harness.ts";
import { folder } from "../support/folder.ts";
import { type DatagramClient, dial, openUdp, type StreamClient } from "../support/peers.ts";
import { Shared } from "../support/scope.ts";
import {
  type JsonRecord,
  limitDescriptors,
  manifest,
  pluginPath,
  type ServerProcess,
  startServer,
} from "../support/server-process.ts";
import { until } from "../support/until.ts";
import { HOOKS, WAYS } from "./plugins/failing.ts";

const TCP = "tcp://127.0.0.1:0";
const UDP = "udp://127.0.0.1:0";

/** Resident memory in bytes. */
function memoryOf({ pid }: ServerProcess): number {
  const status = readFileSync(`/proc/${pid}/status`, "utf8");
  return 1024 * Number(/^VmRSS:\s+(\d+)/m.exec(status)![1]);
}

const MiB = 1024 * 1024;

describe("a peer", () => {
  const shared = new Shared();
  let server: ServerProcess;
  /** Connected all the time, and served all the time. */
  let witness: StreamClient;

  before(async () => {
    const odd = (options: string, limits: object): object => ({
      plugin: pluginPath("odd"),
      listen: TCP,
      options,
      limits,
    });
    const home = folder(shared, {
      "portico.json": manifest({
        echo: { plugin: "echo", listen: [TCP, UDP] },
        strict: { plugin: "echo", listen: TCP, limits: { firstByte: "2s", idle: "30s" } },
        short: { plugin: "echo", listen: TCP, limits: { lifetime: "3s", idle: "2500ms" } },
        floods: odd("floods", { writeBuffer: "1MiB" }),
        pours: odd("pours", {}),
        stalls: odd("stalls", { lifetime: "500ms" }),
      }),
    });
    server = await startServer(shared, home);
    witness = await dial(shared, server.endpoint("echo", "tcp"));
  });
  afterEach(async () => {
    await witness.echo("still served. ");
    assert.deepEqual(server.all({ level: /warn|error/ }), [], "nothing of it is a fault of ours");
  });
  after(() => shared.close());

  /** The records of the session that serves a peer. */
  const closeOf = async (peer: StreamClient): Promise<Readonly<Record<string, unknown>>> => {
    const { session } = await server.record({ event: "open", remote: peer.name });
    return await server.record({ event: "close", session });
  };

  test("a peer that resets ends its session, with reason reset", async (t) => {
    const peer = await dial(t, server.endpoint("echo", "tcp"));
    await peer.echo("hello");
    peer.reset();
    const close = await closeOf(peer);
    assert.deepEqual([close["reason"], close["bytesIn"], close["bytesOut"]], ["reset", 5, 5]);
  });

  test("a peer that half-closes at once gets all of its answer", async (t) => {
    const peer = await dial(t, server.endpoint("echo", "tcp"));
    const much = pattern(MiB);
    peer.send(much);
    peer.end();
    await peer.when("the close", () => peer.gone);
    assertBytes(peer.bytes(), much, "the echo");
    const close = await closeOf(peer);
    assert.deepEqual([close["reason"], close["bytesIn"], close["bytesOut"]], ["peer", MiB, MiB]);
  });

  test("a peer that sends nothing is ended after firstByte, one that has sent is not", async (t) => {
    const endpoint = server.endpoint("strict", "tcp");
    const talker = await dial(t, endpoint);
    await talker.echo("hello");
    const silent = await dial(t, endpoint);
    await silent.over();
    const close = await closeOf(silent);
    assert.equal(close["reason"], "firstByte");
    const duration = close["durationMs"] as number;
    assert.ok(duration >= 2000, `${duration} ms`);
    assert.deepEqual([silent.received, silent.code], [0, undefined], "an end, not a reset");
    await talker.echo(" again");
  });

  test("a peer that sends a byte now and then is ended after lifetime, whatever idle says", async (t) => {
    const peer = await dial(t, server.endpoint("short", "tcp"));
    const trickle = setInterval(() => peer.send("."), 50);
    t.after(() => clearInterval(trickle));
    await peer.over();
    clearInterval(trickle);
    const close = await closeOf(peer);
    assert.equal(close["reason"], "lifetime");
    assert.ok(peer.received >= 2, `${peer.received} bytes came back`);
    const duration = close["durationMs"] as number;
    assert.ok(duration >= 3000, `${duration} ms`);
  });

  test("a peer that falls silent is ended after idle", async (t) => {
    const peer = await dial(t, server.endpoint("short", "tcp"));
    await peer.echo("hello");
    await peer.over();
    assert.equal((await closeOf(peer))["reason"], "idle");
  });

  test("a peer that never reads is ended at writeBuffer, by a handler that does not wait, with a record", async (t) => {
    const before = memoryOf(server);
    const peer = await dial(t, server.endpoint("floods", "tcp"), false);
    peer.send("x");
    const close = await closeOf(peer);
    const grown = memoryOf(server) - before;
    const error = await server.record({ event: "error", session: close["session"] });
    assert.deepEqual([error["code"], error["side"], error.level], ["WRITE_LIMIT", "peer", "debug"]);
    assert.equal(close["reason"], "writeBuffer");
    // What the kernels take comes on top of the limit.
    const written = close["bytesOut"] as number;
    assert.ok(written > MiB && written < 16 * MiB, `${written} bytes were written`);
    assert.ok(grown < 64 * MiB, `the server has grown by ${grown} bytes`);
  });

  test("a peer that never reads holds up a handler that waits, in bounded memory", async (t) => {
    const before = memoryOf(server);
    const peer = await dial(t, server.endpoint("pours", "tcp"), false);
    const { session } = await server.record({ event: "open", remote: peer.name });
    // Time enough for all of it, were it not held up.
    await witness.echo("meanwhile. ");
    await new Promise((resolve) => setTimeout(resolve, 300));
    const grown = memoryOf(server) - before;
    assert.deepEqual(server.all({ event: "close", session }), []);
    peer.leave();
    const close = await closeOf(peer);
    const written = close["bytesOut"] as number;
    assert.ok(written > 0 && written < 16 * MiB, `${written} bytes were written`);
    assert.ok(grown < 64 * MiB, `the server has grown by ${grown} bytes`);
  });

  test("a peer that sends more than a handler reads is held up, in bounded memory", async (t) => {
    const peer = await dial(t, server.endpoint("stalls", "tcp"));
    peer.send(new Uint8Array(64 * MiB));
    const close = await closeOf(peer);
    assert.equal(close["reason"], "lifetime");
    const taken = close["bytesIn"] as number;
    assert.ok(taken > 0 && taken < 4 * MiB, `${taken} bytes were taken`);
  });

  test("peers that leave before they are accepted cost nothing", async (t) => {
    const endpoint = server.endpoint("echo", "tcp");
    const opened = server.all({ event: "open" }).length;
    server.signal("SIGSTOP");
    try {
      const peers = await Promise.all(Array.from({ length: 50 }, () => dial(t, endpoint)));
      for (const [i, peer] of peers.entries()) {
        if (i % 2 === 0) peer.reset();
        else peer.leave();
      }
      await Promise.all(peers.map((peer) => peer.when("the close", () => peer.gone)));
    } finally {
      server.signal("SIGCONT");
    }
    // Who comes after them is accepted after them.
    const later = await dial(t, endpoint);
    await later.echo("hello");
    const opens = (): JsonRecord[] => server.all({ event: "open" }).slice(opened);
    await server.when("its record", () => opens().some(({ remote }) => remote === later.name));
    assert.ok(opens().length <= 51);
    later.end();
    for (const { session } of opens()) await server.record({ event: "close", session });
  });

  test("500 peers at once are all served", async (t) => {
    const endpoint = server.endpoint("echo", "tcp");
    const served = (await server.status("echo"))["served"] as number;
    const earlier = server.all({ event: "open" }).length;
    const peers = await Promise.all(Array.from({ length: 500 }, () => dial(t, endpoint)));
    await Promise.all(peers.map((peer, i) => peer.echo(`peer ${i}`)));
    const during = await server.status("echo");
    assert.ok(during["live"] as number >= 501, `${during["live"]} are live`);
    for (const peer of peers) peer.end();
    await Promise.all(peers.map((peer) => peer.when("the close", () => peer.gone)));
    const opens = (await server.count(earlier + 500, { event: "open" })).slice(earlier);
    assert.equal(new Set(opens.map(({ session }) => session)).size, 500);
    for (const { session } of opens) await server.record({ event: "close", session });
    const afterwards = await server.status("echo");
    assert.deepEqual([afterwards["live"], afterwards["served"]], [1, served + 500]);
  });

  test("a datagram of 0 bytes and one of 65,507 come back as they are", async (t) => {
    const sender = await openUdp(t);
    const endpoint = server.endpoint("echo", "udp");
    const largest = pattern(65_507);
    assert.equal((await sender.ask("", endpoint)).length, 0);
    assertBytes(await sender.ask(largest, endpoint), largest, "the largest");
    assert.equal((await sender.ask("", endpoint)).length, 0);
  });
});

describe("a server that runs out of file descriptors", () => {
  test("pauses accepting and says so, serves who is there, and goes on when there is room", async (t) => {
    const home = folder(t, {
      "portico.json": manifest({
        echo: { plugin: "echo", listen: TCP },
        other: { plugin: "echo", listen: UDP },
      }),
    });
    const server = await startServer(t, home, { through: limitDescriptors(80) });
    const sender = await openUdp(t);
    const endpoint = server.endpoint("echo", "tcp");
    const peers = await Promise.all(Array.from({ length: 120 }, () => dial(t, endpoint)));
    for (const peer of peers) peer.send("hello");
    const served = (): StreamClient[] => peers.filter(({ text }) => text === "hello");
    const error = await server.record({ event: "error" });
    const { level, service, code, side } = error;
    assert.deepEqual({ level, service, code, side }, {
      level: "warn",
      service: "echo",
      code: "EMFILE",
      side: "host",
    });
    await until("the first answer", () => served().length > 0);
    const first = served();
    assert.ok(first.length < 80, `${first.length} are served`);
    // Who is there is served, and so is the other service.
    await first[0]!.when("an answer", () => {
      if (first[0]!.text === "hello") first[0]!.send("!");
      return first[0]!.text.startsWith("hello!");
    });
    await sender.ask("datagram", server.endpoint("other", "udp"));
    assert.ok(served().length < 80, "the others wait");
    // As those leave who have been answered, the others have their turn.
    const answered = new Set<StreamClient>();
    await until(() => `all 120 answers; there are ${answered.size}`, () => {
      for (const peer of peers) {
        if (answered.has(peer) || !peer.text.startsWith("hello")) continue;
        answered.add(peer);
        peer.end();
      }
      return answered.size === peers.length;
    });
    assert.deepEqual(peers.filter(({ code }) => code !== undefined), [], "nobody was cut off");
    const reports = server.all({ event: "error" });
    assert.ok(reports.length <= 20, `${reports.length} records`);
    assert.deepEqual(reports.filter(({ code }) => code !== "EMFILE"), []);
    await server.stop();
  });
});

describe("a hook that fails", () => {
  const shared = new Shared();
  const services = HOOKS.filter((hook) => hook !== "stop").flatMap((hook) =>
    WAYS.map((way) => ({ hook, way, name: `${hook}-${way}` }))
  );
  let server: ServerProcess;
  let witness: StreamClient;
  let sender: DatagramClient;

  before(async () => {
    const failing = services.map(({ hook, way, name }) => [name, {
      plugin: pluginPath("failing"),
      listen: [TCP, UDP],
      options: { hook, way },
    }]);
    const home = folder(shared, {
      "portico.json": manifest({
        echo: { plugin: "echo", listen: [TCP, UDP] },
        ...Object.fromEntries(failing),
      }),
    });
    server = await startServer(shared, home);
    witness = await dial(shared, server.endpoint("echo", "tcp"));
    sender = await openUdp(shared);
  });
  afterEach(async () => {
    await witness.echo("still served. ");
    await sender.ask("as well", server.endpoint("echo", "udp"));
  });
  after(() => shared.close());

  for (const { hook, way, name } of services) {
    const message = `${hook} ${way}`;
    const expected = {
      event: "error",
      level: "error",
      service: name,
      code: "HOOK_FAILED",
      side: "plugin",
      message,
    };
    test(`${hook}, which ${way}, ends its session, and the service goes on`, async (t) => {
      for (const nth of [1, 2]) {
        const peer = await dial(t, server.endpoint(name, "tcp"));
        peer.send("x");
        if (hook === "end" || hook === "finish") peer.end();
        await peer.over();
        peer.end();
        const errors = await server.count(nth, expected);
        const { session, stack } = errors.at(-1)!;
        assert.match(stack as string, /failing\.ts/, "the plugin's author sees where");
        if (hook === "verify") continue;
        const open = await server.record({ event: "open", session });
        if (peer.name !== "unix:") assert.equal(open["remote"], peer.name);
        await server.record({ event: "close", session });
      }
      assert.equal(server.all(expected).length, 2, "each once");
      assert.equal((await server.status(name))["live"], 0);
    });

    if (hook === "end" || hook === "drain") continue;
    test(`${hook}, which ${way} for a datagram, disturbs no other`, async () => {
      const before = server.all(expected).length;
      for (const nth of [1, 2]) {
        sender.send("x", server.endpoint(name, "udp"));
        await server.count(before + nth, expected);
      }
      assert.equal((await server.status(name))["live"], 0);
    });
  }
});

describe("a stop hook that fails", () => {
  test("stop, which throws or rejects, is reported, and the server ends with 0", async (t) => {
    const failing = (way: string): object => ({
      plugin: pluginPath("failing"),
      listen: TCP,
      options: { hook: "stop", way },
    });
    const home = folder(t, {
      "portico.json": manifest({ throws: failing("throws"), rejects: failing("rejects") }),
    });
    const server = await startServer(t, home);
    await server.stop();
    for (const way of WAYS) {
      await server.record({ event: "error", service: way, message: `stop ${way}` });
    }
    assert.equal(server.records.at(-1)!.event, "stop");
  });
});
