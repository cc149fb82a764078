/** The PROXY protocol in front of every strategy: who is told of is who is served, and nobody else is believed. */
import assert from "node:assert/strict";
import { createConnection, type Socket } from "node:net";
import { describe, test } from "node:test";
import { Address, parseEndpoint } from "../../runtime/core/endpoint.ts";
import {
  writeProxyVersion1,
  writeProxyVersion2,
} from "../../runtime/core/prologue/write-proxy-header.ts";
import { lackingFeature } from "../support/adapter.ts";
import { folder } from "../support/folder.ts";
import { Observable } from "../support/observable.ts";
import type { Scope } from "../support/scope.ts";
import {
  manifest,
  pluginPath,
  type ServerProcess,
  startServer,
} from "../support/server-process.ts";
import { lackingStrategy, STRATEGIES } from "../support/strategies.ts";

const PEER = new Address("tcp", "192.0.2.7", 50000, "");
const HERE = new Address("tcp", "198.51.100.1", 443, "");
const V1 = writeProxyVersion1(PEER, HERE);
const V2 = writeProxyVersion2(PEER, HERE, { authority: "a.example", alpn: "h2" }, true);

/** Somebody who connects from an address of this machine. */
class Peer extends Observable {
  readonly socket: Socket;
  text = "";
  gone = false;

  constructor(scope: Scope, endpoint: string, from: string = "127.0.0.1") {
    super();
    const to = parseEndpoint(endpoint);
    this.socket = "port" in to
      ? createConnection({ host: "127.0.0.1", port: to.port, localAddress: from, noDelay: true })
      : createConnection({ path: "path" in to ? to.path : "" });
    this.socket.setEncoding("utf8").on("data", (text: string) => {
      this.text += text;
      this.changed();
    });
    this.socket.on("error", () => {});
    this.socket.on("close", () => {
      this.gone = true;
      this.changed();
    });
    scope.after(() => void this.socket.destroy());
  }

  protected summary(): string {
    return `${JSON.stringify(this.text)}${this.gone ? ", gone" : ""}`;
  }

  say(what: Uint8Array | string): this {
    this.socket.write(what);
    return this;
  }

  async hears(what: string): Promise<void> {
    await this.when(JSON.stringify(what), () => this.text.includes(what));
  }

  /** Is turned away without a byte. */
  async refused(): Promise<void> {
    await this.when("to be refused", () => this.gone);
    assert.equal(this.text, "");
  }
}

const FROM = { from: ["127.0.0.1", "127.0.0.3"], wait: "2s" };

async function serve(
  scope: Scope,
  strategy: string,
  more: object = {},
  listen: string | string[] = "tcp://127.0.0.1:0",
): Promise<{ server: ServerProcess; endpoint: string }> {
  const workers = strategy === "threads" || strategy === "processes" ? { workers: 1 } : {};
  const concurrency = { strategy, ...workers };
  const s = { plugin: pluginPath("via"), listen, concurrency, proxyProtocol: FROM, ...more };
  const server = await startServer(scope, folder(scope, { "portico.json": manifest({ s }) }));
  return { server, endpoint: server.endpoint("s", "tcp") };
}

const skip = lackingFeature("descriptors");

for (const strategy of STRATEGIES) {
  describe(`proxyProtocol under ${strategy}`, {
    skip: skip || lackingStrategy(strategy),
  }, () => {
    test("who is told of is who is served, limited and recorded; what follows the header is the peer's", async (t) => {
      const { server, endpoint } = await serve(t, strategy, {
        access: { deny: ["203.0.113.9"] },
        limits: { perSource: 1 },
      });
      const one = new Peer(t, endpoint).say(Buffer.concat([V1, Buffer.from("hello")]));
      await one.hears("hello");
      const says =
        'tcp://192.0.2.7:50000 at tcp by {"remote":"127.0.0.1","local":"tcp","version":1}';
      assert.equal(one.text, `${says}\nhello`);
      const open = await server.record({ event: "open" });
      assert.deepEqual([open["remote"], open["local"]], [String(PEER), String(HERE)]);
      assert.match(String(open["via"]), /^tcp:\/\/127\.0\.0\.1:\d+$/);
      // The same peer through another balancer is one source still.
      await new Peer(t, endpoint, "127.0.0.3").say(V2).refused();
      const { limit, remote } = await server.record({ event: "refuse" });
      assert.deepEqual([limit, remote], ["perSource", String(PEER)]);
      const denied = writeProxyVersion2(new Address("tcp", "203.0.113.9", 1, ""), HERE);
      await new Peer(t, endpoint).say(denied).refused();
      await server.record({ event: "refuse", rule: "deny 203.0.113.9" });
      one.socket.destroy();
      await server.record({ event: "close" });
      await server.stop();
    });

    test("a header that comes byte by byte, and its values, arrive whole", async (t) => {
      const { server, endpoint } = await serve(t, strategy, {
        proxyProtocol: { ...FROM, wait: "20s" },
      });
      for (const header of [V1, V2]) {
        const peer = new Peer(t, endpoint);
        for (const byte of header) {
          await new Promise<void>((sent) =>
            void peer.socket.write(Uint8Array.of(byte), () => sent())
          );
          await new Promise(setImmediate);
        }
        await peer.say("x").hears("\nx");
        if (header === V2) {
          await peer.hears('"version":2,"alpn":"h2","authority":"a.example"');
        }
        peer.socket.destroy();
      }
      // Who is told of nobody is the balancer itself.
      const local = new Peer(t, endpoint).say(writeProxyVersion2(undefined, undefined));
      await local.hears("tcp://127.0.0.1:");
      await local.hears("by itself");
      local.socket.destroy();
      await server.count(3, { event: "close" });
      await server.stop();
    });

    test("whoever may not say it is refused, and so is who says nothing, or something else", async (t) => {
      const { server, endpoint } = await serve(t, strategy, {
        proxyProtocol: { ...FROM, wait: "20s" },
      });
      await new Peer(t, endpoint, "127.0.0.2").say(V1).refused();
      const liar = await server.record({ event: "refuse", rule: "proxyProtocol" });
      assert.match(String(liar["remote"]), /^tcp:\/\/127\.0\.0\.2:/);
      const wrongs: [string | Uint8Array, RegExp][] = [
        ["GET / HTTP/1.1\r\n", /there is no PROXY header/],
        ["PROXY TCP4 1.2.3.4 5.6.7.8 99999 1\r\n", /"99999" as a port/],
        [V2.map((byte, at) => at === 20 ? byte ^ 1 : byte), /checksum/],
      ];
      for (const [index, [what, why]] of wrongs.entries()) {
        await new Peer(t, endpoint).say(what).refused();
        const { message } = await server.record(
          { event: "refuse", limit: "proxyProtocol" },
          index + 1,
        );
        assert.match(String(message), why);
      }
      const short = new Peer(t, endpoint).say(V1.subarray(0, 10));
      short.socket.end();
      await short.refused();
      const { message } = await server.record({ event: "refuse", message: /ended before/ });
      assert.ok(message);
      const status = await server.status("s");
      assert.deepEqual([status["refused"], status["live"]], [5, 0]);
      await server.stop();
    });

    test("so is who does not say the whole of it in time", async (t) => {
      const { server, endpoint } = await serve(t, strategy, {
        proxyProtocol: { ...FROM, wait: "500ms" },
      });
      await Promise.all(
        ["", V1.subarray(0, 10)].map((what) => new Peer(t, endpoint).say(what).refused()),
      );
      for (
        const { message } of await server.count(2, { event: "refuse", limit: "proxyProtocol" })
      ) {
        assert.match(String(message), /no PROXY header within 500 ms/);
      }
      await server.stop();
    });

    test("with accept, who sends none is served as itself: at once, or when it has said nothing in time", async (t) => {
      const { server, endpoint } = await serve(t, strategy, {
        proxyProtocol: { ...FROM, mode: "accept" },
      });
      const speaks = new Peer(t, endpoint).say("hello");
      await speaks.hears("by itself\nhello");
      speaks.socket.destroy();
      const listens = new Peer(t, endpoint, "127.0.0.2");
      await listens.hears("tcp://127.0.0.2:");
      listens.socket.destroy();
      const told = new Peer(t, endpoint).say(V1);
      await told.hears(String(PEER));
      told.socket.destroy();
      await new Peer(t, endpoint, "127.0.0.2").say(V1).refused();
      await server.record({ event: "refuse", rule: "proxyProtocol" });
      await server.count(3, { event: "close" });
      await server.stop();
    });

    test("over a Unix socket, too; who waits when the server ends is refused, and nothing is left", async (t) => {
      const listen = ["tcp://127.0.0.1:0", "unix:./s.sock"];
      const { server, endpoint } = await serve(
        t,
        strategy,
        { proxyProtocol: { from: ["127.0.0.1"], wait: "20s" } },
        listen,
      );
      const peer = new Peer(t, server.endpoint("s", "unix")).say(V1);
      await peer.hears('tcp://192.0.2.7:50000 at tcp by {"remote":"","local":"unix","version":1}');
      peer.socket.destroy();
      await server.record({ event: "close" });
      const waiting = Array.from(
        { length: 20 },
        () => new Peer(t, endpoint).say(V1.subarray(0, 5)),
      );
      // Whoever has come before is accepted when one is served who came after them.
      const after = new Peer(t, endpoint).say(V1);
      await after.hears(String(PEER));
      after.socket.destroy();
      await server.count(2, { event: "close" });
      await server.stop();
      for (const each of waiting) await each.refused();
      assert.equal((await server.count(20, { event: "refuse", limit: "drain" })).length, 20);
    });
  });
}
