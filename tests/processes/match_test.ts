/** One port for several services: who says what is served by whom. Under every strategy: `tests/parity/cases/matched.ts`. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { Duplex } from "node:stream";
import { connect as connectTls, type ConnectionOptions } from "node:tls";
import { lackingFeature } from "../support/adapter.ts";
import { ManagedServer, type Services } from "../support/managed-server.ts";
import { Peer } from "../support/peer.ts";
import { gone } from "../support/proc.ts";
import { pluginPath } from "../support/server-process.ts";
import { lackingStrategy } from "../support/strategies.ts";

const TCP = "tcp://127.0.0.1:0";
/** Long enough that nobody is waited for in vain who says enough. */
const LONG = "20s";

/** What peers say first, and the service that is for them. */
const PREFIXES: readonly (readonly [string, string])[] = [
  ["http", "GET /x HTTP/1.1\r\nHost: a\r\n\r\n"],
  ["http", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"],
  ["ssh", "SSH-2.0-OpenSSH_10\r\n"],
  ["text", "PING"],
  ["text", "PONG\n"],
  ["module", "#a"],
  ["rest", "something else"],
];

/** What a client of TLS says first. */
async function helloOf(options: ConnectionOptions): Promise<Uint8Array> {
  const { promise, resolve } = Promise.withResolvers<Uint8Array>();
  const socket = new Duplex({ read() {}, write: (chunk: Uint8Array) => resolve(chunk) });
  const client = connectTls({ ...options, socket });
  client.on("error", () => {});
  const hello = await promise;
  client.destroy();
  return hello;
}

type More = Readonly<Record<string, unknown>>;

const told = (name: string, more: More = {}): More => ({
  plugin: pluginPath("told"),
  options: { name },
  ...more,
});

const skip = lackingFeature("descriptors");

test("when a service comes to need descriptors, who was read before is served as it was", {
  skip: skip || lackingStrategy("threads"),
}, async (t) => {
  const threads = { concurrency: { strategy: "threads", workers: 1 } };
  const services = (version: string, more: More) => ({
    front: {
      listen: TCP,
      limits: { drain: LONG },
      match: { wait: LONG, routes: [{ when: "ssh", service: "ssh" }] },
    },
    ssh: told(`ssh-${version}`, { limits: { drain: LONG }, ...more }),
  });
  const server = await ManagedServer.start(t, services("1", {}));
  const endpoint = await server.endpoint("front", "tcp");
  const one = new Peer(t, endpoint).say("SS");
  await server.until("front", ({ live }) => live === 1);
  server.write(services("2", threads));
  // How the front looks at peers is another way now.
  assert.deepEqual((await server.reload()).changed, ["front", "ssh"]);
  await new Peer(t, endpoint).say("SSH-2").served("ssh-2", "SSH-2");
  await one.say("H-1").served("ssh-1", "SSH-1");
  const two = new Peer(t, endpoint).say("SS");
  await server.until("front", ({ live }) => live === 1);
  server.write(services("3", {}));
  await server.reload();
  await two.say("H-3").served("ssh-3", "SSH-3");
  await new Peer(t, endpoint).say("SSH-4").served("ssh-3", "SSH-4");
  assert.equal((await server.service("front")).refused, 0);
});

/** To a plugin that takes sockets itself: then nobody is read before it is told apart. */
const PROGRAM = { when: { hex: "fe ff" }, service: "program" };

for (const beside of [false, true]) {
  const how = beside ? "by descriptor" : "of what the runtime has read";
  describe(`match, ${how}`, { skip }, () => {
    const front = (routes: readonly object[], more: More = {}, wait = LONG): More => ({
      listen: TCP,
      match: { wait, routes: [...(beside ? [PROGRAM] : []), ...routes] },
      ...more,
    });
    const all = (services: Services): Services => ({
      ...services,
      ...(beside && { program: { plugin: "exec", options: { command: ["cat"] } } }),
    });
    /** Of the routes that a test has said. */
    const routesOf = async (server: ManagedServer) =>
      (await server.service("front")).routes!.slice(beside ? 1 : 0);
    const SSH = { when: "ssh", service: "ssh" };

    test("each is served by the one that its first bytes ask for, with all that it has said", async (t) => {
      const server = await ManagedServer.start(
        t,
        all({
          front: {
            listen: [TCP, "unix:./front.sock"],
            match: {
              wait: LONG,
              routes: [
                ...(beside ? [PROGRAM] : []),
                { when: { tls: { sni: "*.example.org" } }, service: "named" },
                { when: { tls: { alpn: ["x", "h2"] } }, service: "agreed" },
                { when: "tls", service: "tls" },
                { when: "http", service: "http" },
                { when: "ssh", service: "ssh" },
                { when: { prefix: ["PING", "PONG"] }, service: "text" },
                { when: { hex: "00 ff 01" }, service: "bytes" },
                { when: { plugin: pluginPath("hash") }, service: "module" },
                { otherwise: "rest" },
              ],
            },
          },
          ...Object.fromEntries(
            ["named", "agreed", "tls", "http", "ssh", "text", "bytes", "module", "rest"]
              .map((name) => [name, told(name)]),
          ),
        }),
      );
      for (const transport of ["tcp", "unix"]) {
        const endpoint = await server.endpoint("front", transport);
        for (const [name, said] of PREFIXES) {
          await new Peer(t, endpoint).say(said).served(name, said);
        }
        await new Peer(t, endpoint).say(Uint8Array.of(0, 255, 1)).served("bytes", "\0");
        // Who says no more cannot become anybody else.
        const half = new Peer(t, endpoint).say("PIN");
        half.socket.end();
        await half.hears("rest ");
        await half.hears("\nPIN");
      }
      const endpoint = await server.endpoint("front", "tcp");
      const hellos: [ConnectionOptions, string][] = [
        [{ servername: "a.example.org", ALPNProtocols: ["h2"] }, "named"],
        [{ servername: "a.b.example.org", ALPNProtocols: ["http/1.1", "h2"] }, "agreed"],
        [{ servername: "example.org", ALPNProtocols: ["http/1.1"] }, "tls"],
      ];
      for (const [options, name] of hellos) {
        const peer = new Peer(t, endpoint).say(await helloOf(options));
        await peer.hears(`${name} 127.0.0.1`);
        peer.socket.destroy();
      }
      const { served, refused } = await server.service("front");
      assert.deepEqual(
        (await routesOf(server)).map(({ when, service, count }) => [when, service, count]),
        [
          ["tls sni=*.example.org", "named", 1],
          ["tls alpn=x,h2", "agreed", 1],
          ["tls", "tls", 1],
          ["http", "http", 4],
          ["ssh", "ssh", 2],
          ['prefix "PING","PONG"', "text", 4],
          ["prefix 0x00ff01", "bytes", 2],
          [`plugin ${pluginPath("hash")}`, "module", 2],
          ["otherwise", "rest", 4],
        ],
      );
      assert.deepEqual([served, refused], [21, 0]);
      await server.until("front", ({ live }) => live === 0);
    });

    test("a matcher that fails is a no, and is told of; the bytes that it sees grow", async (t) => {
      const routes = [{ when: { plugin: pluginPath("hash") }, service: "module" }, {
        otherwise: "rest",
      }];
      const server = await ManagedServer.start(
        t,
        all({
          front: front(routes),
          module: told("module"),
          rest: told("rest"),
        }),
      );
      const endpoint = await server.endpoint("front", "tcp");
      await new Peer(t, endpoint).say("!a").served("rest", "!a");
      await new Peer(t, endpoint).say("?a").served("rest", "?a");
      const errors = await server.process.count(2, { event: "error", service: "front" });
      assert.match(String(errors[0]!["message"]), /has thrown: no exclamation marks/);
      assert.match(String(errors[1]!["message"]), /neither true, false nor undefined/);
      assert.deepEqual(errors.map(({ code, side }) => [code, side]), [
        ["HOOK_FAILED", "plugin"],
        ["HOOK_FAILED", "plugin"],
      ]);
      const peer = new Peer(t, endpoint).say("#");
      await server.until("front", ({ live }) => live === 1);
      await peer.say("b").served("module", "#b");
    });

    test("who has gone before it was told apart is refused, and nothing of it stays", async (t) => {
      const server = await ManagedServer.start(t, all({ front: front([SSH]), ssh: told("ssh") }));
      const endpoint = await server.endpoint("front", "tcp");
      const ends = new Peer(t, endpoint).say("SS");
      ends.socket.end();
      await ends.refused();
      await server.process.record({ event: "refuse", rule: "match" });
      const resets = new Peer(t, endpoint).say("S");
      await server.until("front", ({ live }) => live === 1);
      resets.socket.resetAndDestroy();
      await server.process.count(2, { event: "refuse", rule: "match" });
      await server.until("front", ({ live }) => live === 0);
      assert.equal((await server.service("ssh")).served, 0);
    });

    test("who waits at a reload goes on, to the service as it is then; who is led elsewhere, too", async (t) => {
      const services = (version: string, more: More = {}) => ({
        front: front([SSH, { otherwise: "rest" }], more),
        ssh: told("ssh", { options: { name: `ssh-${version}` } }),
        rest: told("rest"),
      });
      const server = await ManagedServer.start(t, all(services("1")));
      const endpoint = await server.endpoint("front", "tcp");
      const one = new Peer(t, endpoint).say("SS");
      await server.until("front", ({ live }) => live === 1);
      server.write(all(services("2")));
      assert.deepEqual((await server.reload()).changed, ["ssh"]);
      await one.say("H-1").served("ssh-2", "SSH-1");
      // The front itself is another one now, whose counts go on.
      const two = new Peer(t, endpoint).say("SS");
      await server.until("front", ({ live }) => live === 1);
      server.write(all(services("3", { limits: { perSource: 9 } })));
      assert.deepEqual((await server.reload()).changed, ["front", "ssh"]);
      await two.say("H-2").served("ssh-3", "SSH-2");
      await new Peer(t, endpoint).say("x").served("rest", "x");
      assert.deepEqual((await routesOf(server)).map(({ count }) => count), [2, 1]);
    });

    test("who waits when the server stops may still say whom it is for, and is served; else it is refused", async (t) => {
      const server = await ManagedServer.start(
        t,
        all({
          front: front([SSH], { limits: { drain: "10s" } }),
          short: front([SSH], { limits: { drain: "100ms" } }),
          ssh: told("ssh", { listen: TCP }),
        }),
      );
      const endpoint = await server.endpoint("front", "tcp");
      const one = new Peer(t, endpoint).say("SS");
      const two = new Peer(t, await server.endpoint("short", "tcp")).say("SS");
      await server.until("front", ({ live }) => live === 1);
      await server.until("short", ({ live }) => live === 1);
      const stopped = server.process.stop();
      await two.refused();
      await server.process.record({ event: "refuse", service: "short", limit: "drain" });
      await one.say("H-1").hears("ssh 127.0.0.1");
      one.socket.destroy();
      await stopped;
    });

    test("at an upgrade, who waits is served by the server that it has come to", async (t) => {
      const server = await ManagedServer.start(t, all({ front: front([SSH]), ssh: told("ssh") }));
      const endpoint = await server.endpoint("front", "tcp");
      const one = new Peer(t, endpoint).say("SS");
      await server.until("front", ({ live }) => live === 1);
      const successor = await server.upgrade();
      await one.say("H-1").served("ssh", "SSH-1");
      await new Peer(t, endpoint).say("SSH-2").served("ssh", "SSH-2");
      await server.process.exited();
      await server.ask("stop");
      await gone([successor]);
    });
  });
}
