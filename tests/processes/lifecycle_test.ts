/** A server from its first record to its last: draining, signals, what it leaves behind, what it says of a session. */
import assert from "node:assert/strict";
import { existsSync, lstatSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { describe, test } from "node:test";
import { folder } from "../support/folder.ts";
import { dial, knock, openUdp } from "../support/peers.ts";
import {
  type JsonRecord,
  manifest,
  pluginPath,
  type ServerProcess,
  startServer,
} from "../support/server-process.ts";

const TCP = "tcp://127.0.0.1:0";
const UDP = "udp://127.0.0.1:0";

/** A manifest with one service, as a file. */
const one = (service: object): { "portico.json": string } => ({
  "portico.json": manifest({ echo: { plugin: "echo", listen: TCP, ...service } }),
});
const odd = (options: string, more: object = {}): { "portico.json": string } =>
  one({ plugin: pluginPath("odd"), options, ...more });

/** What waits for nobody ends in less than that, in ms, on a machine that is busy: who waits does so for a minute. */
const SOON = 20_000;

/** Ends a server, and sees that it does so within `limit` ms, with 0 and `stop` as its last word. */
async function ends(server: ServerProcess, limit: number): Promise<void> {
  const began = performance.now();
  assert.equal(await server.ended(), 0, server.errors);
  const took = performance.now() - began;
  assert.ok(took < limit, `it took ${took} ms`);
  assert.equal(server.records.at(-1)!.event, "stop");
  assert.equal(server.errors, "");
}

/** Knocks until nobody listens any more; that is said a moment before it is done. */
async function shut(endpoint: string): Promise<void> {
  for (let tries = 1;; tries++) {
    const answer = await knock(endpoint);
    if (answer === "ECONNREFUSED") return;
    assert.ok(tries < 1000, `${endpoint} still lets in, or answers with ${answer}`);
  }
}

describe("a stop", () => {
  for (const signal of ["SIGTERM", "SIGINT"] as const) {
    test(`${signal} lets no one in, lets a session finish, and ends with 0 as soon as it has`, async (t) => {
      const server = await startServer(t, folder(t, one({ limits: { drain: "60s" } })));
      const endpoint = server.endpoint("echo", "tcp");
      const peer = await dial(t, endpoint);
      await peer.echo("before");
      server.signal(signal);
      const drain = await server.record({ event: "drain" });
      assert.deepEqual([drain.service, drain["live"], drain["limitMs"]], ["echo", 1, 60_000]);
      await shut(endpoint);
      await peer.echo(" and after");
      peer.end();
      await ends(server, SOON);
      assert.equal(peer.text, "before and after");
      assert.equal((await server.record({ event: "close" }))["reason"], "peer");
      assert.equal(server.all({ event: "open" }).length, 1, "nobody else was served");
      assert.equal(server.records.at(-1)!["reason"], signal);
    });
  }

  test("SIGTERM closes after drain what has not ended by then", async (t) => {
    const server = await startServer(t, folder(t, one({ limits: { drain: "300ms" } })));
    const peer = await dial(t, server.endpoint("echo", "tcp"));
    await peer.echo("hello");
    server.signal("SIGTERM");
    await peer.over();
    assert.equal(peer.code, undefined, "an end, not a reset");
    await ends(server, SOON);
    const drain = await server.record({ event: "drain" });
    const close = await server.record({ event: "close", reason: "drain" });
    const waited = Date.parse(close.time) - Date.parse(drain.time);
    assert.ok(waited >= 290, `it waited ${waited} ms`);
  });

  test("SIGTERM ends at once where nobody is connected", async (t) => {
    const server = await startServer(
      t,
      folder(t, one({ listen: [TCP, UDP], limits: { drain: "60s" } })),
    );
    server.signal("SIGTERM");
    await ends(server, SOON);
    assert.deepEqual(server.all({ event: "drain" }), []);
  });

  test("a second signal closes at once what the first waits for", async (t) => {
    const server = await startServer(t, folder(t, one({ limits: { drain: "none" } })));
    const peer = await dial(t, server.endpoint("echo", "tcp"));
    await peer.echo("hello");
    server.signal("SIGTERM");
    await server.record({ event: "drain" });
    await peer.echo(" still there");
    server.signal("SIGTERM");
    await peer.over();
    await ends(server, SOON);
  });

  test("a second signal gives up a datagram whose handler does not come back", async (t) => {
    const server = await startServer(
      t,
      folder(t, odd("hangs", { listen: UDP, limits: { drain: "none" } })),
    );
    const sender = await openUdp(t);
    sender.send("x", server.endpoint("echo", "udp"));
    await server.record({ event: "open" });
    server.signal("SIGTERM");
    await server.record({ event: "drain", live: 1 });
    server.signal("SIGTERM");
    await ends(server, SOON);
  });

  test("a second signal gives up a session whose handler does not come back", async (t) => {
    const server = await startServer(t, folder(t, odd("hangs", { limits: { drain: "none" } })));
    const peer = await dial(t, server.endpoint("echo", "tcp"));
    await server.record({ event: "open" });
    server.signal("SIGTERM");
    await server.record({ event: "drain", live: 1 });
    server.signal("SIGTERM");
    await peer.over();
    await ends(server, 4000);
  });

  test("a second signal gives up a plugin's stop that does not come back", async (t) => {
    const server = await startServer(t, folder(t, odd("hangs at stop")));
    const endpoint = server.endpoint("echo", "tcp");
    server.signal("SIGTERM");
    // The port is free: nothing but the plugin is waited for.
    await shut(endpoint);
    assert.equal(server.code, undefined);
    server.signal("SIGTERM");
    await ends(server, 4000);
    const error = await server.record({ event: "error" });
    assert.deepEqual([error.service, error["side"]], ["echo", "plugin"]);
    assert.match(error["message"] as string, /^stop did not return/);
  });

  test("a stop leaves no socket file, no port and no process behind", async (t) => {
    const home = folder(t, one({ listen: [TCP, UDP, "unix:./a.sock"] }));
    const server = await startServer(t, home);
    assert.ok(lstatSync(join(home, "a.sock")).isSocket());
    const endpoints = server.all({ event: "listening" }).map(({ endpoint }) => endpoint as string);
    const peers = [
      await dial(t, server.endpoint("echo", "tcp")),
      await dial(t, server.endpoint("echo", "unix")),
    ];
    for (const peer of peers) {
      await peer.echo("hello");
      peer.end();
    }
    await server.stop();
    assert.equal(existsSync(join(home, "a.sock")), false);
    assert.throws(() => process.kill(server.pid, 0), { code: "ESRCH" });
    // Peers have just hung up: their ports rest in TIME_WAIT, and the address is free all the same.
    const again = await startServer(t, folder(t, one({ listen: endpoints })));
    assert.deepEqual(again.all({ event: "listening" }).map(({ endpoint }) => endpoint), endpoints);
    await (await dial(t, again.endpoint("echo", "tcp"))).echo("again");
    await again.kill();
  });

  test("a killed server's socket file is taken over by the next", async (t) => {
    const home = folder(t, one({ listen: "unix:./a.sock" }));
    const first = await startServer(t, home);
    await first.kill();
    assert.ok(lstatSync(join(home, "a.sock")).isSocket());
    const second = await startServer(t, home);
    await (await dial(t, second.endpoint("echo", "unix"))).echo("hello");
    await second.kill();
  });
});

describe("held sessions", () => {
  for (const concurrency of ["serial", { strategy: "async", max: 1 }]) {
    const name = typeof concurrency === "string" ? concurrency : "async, max 1";
    test(`held sessions are served in the order of their arrival, and not read before (${name})`, async (t) => {
      const server = await startServer(t, folder(t, odd("talks", { concurrency })));
      const peers = [];
      for (let i = 0; i < 5; i++) {
        const peer = await dial(t, server.endpoint("echo", "tcp"));
        peer.send(`line of ${i}\n`);
        peers.push(peer);
      }
      for (const [i, peer] of peers.entries()) {
        await peer.hears(`line of ${i}\n`);
        const opened = (await server.count(i + 1, { event: "open" })).map(({ remote }) => remote);
        assert.deepEqual(opened, peers.slice(0, i + 1).map(({ name }) => name));
        assert.deepEqual(peers.slice(i + 1).map(({ received }) => received).filter(Boolean), []);
        peer.end();
        await peer.over();
      }
      const closes = await server.count(5, { event: "close" });
      const opens = server.all({ event: "open" });
      assert.deepEqual(closes.map(({ session }) => session), opens.map(({ session }) => session));
      await server.stop();
    });
  }

  test("a session that is held longer than hold is refused", async (t) => {
    const limits = { hold: "300ms" };
    const server = await startServer(t, folder(t, odd("talks", { concurrency: "serial", limits })));
    const first = await dial(t, server.endpoint("echo", "tcp"));
    first.send("first\n");
    await first.hears("first\n");
    const second = await dial(t, server.endpoint("echo", "tcp"));
    await second.over();
    const refusal = await server.record({ event: "refuse" });
    assert.deepEqual([refusal["limit"], refusal["remote"]], ["hold", second.name]);
    first.send("goes on\n");
    await first.hears("goes on\n");
  });
});

describe("records", () => {
  const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;

  /** What a record says beside its time, and the order in which it does. */
  const said = ({ time, ...rest }: JsonRecord): unknown => {
    assert.match(time, TIME);
    return rest;
  };

  test("records have the fields of the contract, in one order, from start to stop", async (t) => {
    const home = folder(t, odd("talks", { listen: [TCP, UDP, "unix:./a.sock"] }));
    const server = await startServer(t, home);
    const local = server.endpoint("echo", "tcp");
    const peer = await dial(t, local);
    peer.send("hello\n");
    await peer.hears("hello\n");
    peer.end();
    const { session } = await server.record({ event: "open" });
    const { durationMs } = await server.record({ event: "close" });
    await server.stop();
    const [{ version, runtime }] = server.all({ event: "start" }) as [JsonRecord];
    assert.match(version as string, /^\d+\.\d+\.\d+/);
    assert.match(runtime as string, /^(?:node|deno|bun) \d+\./);
    assert.ok(Number.isInteger(durationMs) && (durationMs as number) >= 0, `${durationMs}`);
    const level = "info";
    const service = "echo";
    assert.deepEqual(server.records.map(said), [
      { level, event: "start", runtime, version, pid: server.pid },
      { level, event: "listening", service, endpoint: local },
      { level, event: "listening", service, endpoint: server.endpoint("echo", "udp") },
      { level, event: "listening", service, endpoint: `unix:${join(home, "a.sock")}` },
      { level, event: "ready" },
      { level, event: "open", service, session, remote: peer.name, local },
      { level, event: "log", service, session, text: "a line", line: "hello" },
      {
        level,
        event: "close",
        service,
        session,
        remote: peer.name,
        durationMs,
        bytesIn: 6,
        bytesOut: 6,
        reason: "peer",
      },
      { level, event: "stop", reason: "SIGTERM" },
    ]);
    const times = server.records.map(({ time }) => time);
    assert.deepEqual(times, times.toSorted());
  });

  test("records of one session have the same number, and no other has it", async (t) => {
    const home = folder(t, {
      "portico.json": manifest(Object.fromEntries(
        ["a", "b"].map((name) => [name, {
          plugin: pluginPath("odd"),
          options: "talks",
          listen: [TCP, UDP],
        }]),
      )),
    });
    const server = await startServer(t, home);
    const sender = await openUdp(t);
    for (const service of ["a", "b"]) {
      for (let i = 0; i < 3; i++) {
        const peer = await dial(t, server.endpoint(service, "tcp"));
        const line = `${service}${i}`;
        peer.send(`${line}\n`);
        await peer.hears(`${line}\n`);
        peer.end();
        await sender.ask(`udp ${line}\n`, server.endpoint(service, "udp"));
      }
    }
    await server.count(12, { event: "close" });
    const sessions = server.all({ event: "open" }).map(({ session }) => session);
    assert.equal(new Set(sessions).size, 12);
    for (const session of sessions) {
      const records = server.all({ session });
      assert.deepEqual(records.map(({ event }) => event), ["open", "log", "close"]);
      const datagram = String(records[0]!["remote"]).startsWith("udp:");
      // What concerns a stream is for everybody, what concerns a datagram is not.
      assert.equal(records[0]!.level, datagram ? "debug" : "info");
      assert.equal(String(records[1]!["line"]).startsWith("udp "), datagram);
      assert.equal(new Set(records.map(({ service }) => service)).size, 1);
    }
  });

  test("records name an error's code, side and session", async (t) => {
    const home = folder(
      t,
      one({
        plugin: pluginPath("failing"),
        options: { hook: "handle", way: "throws" },
      }),
    );
    const server = await startServer(t, home);
    const peer = await dial(t, server.endpoint("echo", "tcp"));
    peer.send("x");
    // Whoever has said all that there is to say is not the reason why it ends.
    peer.end();
    const error = await server.record({ event: "error" });
    const close = await server.record({ event: "close" });
    const { level, service, session, code, side, message } = error;
    assert.deepEqual({ level, service, code, side, message }, {
      level: "error",
      service: "echo",
      code: "HOOK_FAILED",
      side: "plugin",
      message: "handle throws",
    });
    assert.deepEqual([close.session, close["reason"]], [session, "error"]);
    await peer.over();
  });
});
