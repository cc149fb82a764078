/** The PROXY protocol of datagrams: who is told of is who is served, answers go to the balancer. Under every strategy: `tests/parity/cases/proxied.ts`. */
import assert from "node:assert/strict";
import { createSocket, type Socket } from "node:dgram";
import { once } from "node:events";
import { describe, test } from "node:test";
import { Address, parseEndpoint } from "../../runtime/core/endpoint.ts";
import {
  writeProxyVersion1,
  writeProxyVersion2,
} from "../../runtime/core/prologue/write-proxy-header.ts";
import { lackingTransport } from "../support/adapter.ts";
import { folder } from "../support/folder.ts";
import { Observable } from "../support/observable.ts";
import type { Scope } from "../support/scope.ts";
import {
  manifest,
  pluginPath,
  type ServerProcess,
  startServer,
} from "../support/server-process.ts";
import { lackingStrategy, type StrategyName } from "../support/strategies.ts";

const PEER = new Address("udp", "192.0.2.7", 50000, "");
const HERE = new Address("udp", "198.51.100.1", 53, "");
const V2 = writeProxyVersion2(PEER, HERE, { authority: "a.example" }, true);

/** Somebody who sends datagrams from an address of this machine, and hears what comes back. */
class Sender extends Observable {
  readonly socket: Socket = createSocket("udp4");
  readonly heard: string[] = [];
  readonly #port: number;

  private constructor(scope: Scope, endpoint: string) {
    super();
    this.#port = (parseEndpoint(endpoint) as { port: number }).port;
    this.socket.on("message", (bytes) => {
      this.heard.push(String(bytes));
      this.changed();
    });
    scope.after(() => void this.socket.close());
  }

  static async open(scope: Scope, endpoint: string, from: string = "127.0.0.1"): Promise<Sender> {
    const sender = new Sender(scope, endpoint);
    sender.socket.bind(0, from);
    await once(sender.socket, "listening");
    return sender;
  }

  protected summary(): string {
    return JSON.stringify(this.heard);
  }

  send(...parts: (Uint8Array | string)[]): this {
    const bytes = Buffer.concat(parts.map((part) => Buffer.from(part)));
    this.socket.send(bytes, this.#port, "127.0.0.1");
    return this;
  }

  async hears(...texts: string[]): Promise<void> {
    await this.when(JSON.stringify(texts), () => this.heard.length >= texts.length);
    assert.deepEqual(this.heard.splice(0), texts);
  }
}

async function serve(
  scope: Scope,
  strategy: StrategyName,
  more: object = {},
): Promise<{ server: ServerProcess; endpoint: string }> {
  const workers = strategy === "threads" ? { workers: 1 } : {};
  const s = {
    plugin: pluginPath("via"),
    listen: "udp://127.0.0.1:0",
    concurrency: { strategy, ...workers },
    proxyProtocol: { from: ["127.0.0.1", "127.0.0.3"] },
    log: { type: "json", level: "debug" },
    ...more,
  };
  const server = await startServer(scope, folder(scope, { "portico.json": manifest({ s }) }));
  return { server, endpoint: server.endpoint("s", "udp") };
}

const way = (more: object = {}): string =>
  JSON.stringify({ remote: "127.0.0.1", local: "udp", version: 2, ...more });

for (const strategy of ["async", "threads"] as const) {
  describe(`proxyProtocol of datagrams under ${strategy}`, {
    skip: lackingTransport("udp") || lackingStrategy(strategy),
  }, () => {
    test("who is told of is served and recorded, the balancer is answered", async (t) => {
      const { server, endpoint } = await serve(t, strategy, { access: { deny: ["203.0.113.9"] } });
      const balancer = await Sender.open(t, endpoint);
      const line = `udp://192.0.2.7:50000 at udp by ${way({ authority: "a.example" })}\n`;
      // The second of the same header, and one of another header between.
      for (const text of ["one", "two"]) {
        balancer.send(V2, text);
        await balancer.hears(line, text);
        const other = new Address("udp", "2001:db8::1", 4242, "");
        balancer.send(writeProxyVersion2(other, HERE), "x");
        await balancer.hears(`udp://[2001:db8::1]:4242 at udp by ${way()}\n`, "x");
      }
      const open = await server.record({ event: "open" });
      assert.deepEqual([open["remote"], open["local"]], [String(PEER), String(HERE)]);
      assert.match(String(open["via"]), /^udp:\/\/127\.0\.0\.1:\d+$/);
      const [close] = await server.count(4, { event: "close" });
      assert.equal(close!["bytesIn"], 3);
      // The same header from another balancer comes by another way.
      const second = await Sender.open(t, endpoint, "127.0.0.3");
      second.send(V2, "three");
      const other = way({ remote: "127.0.0.3", authority: "a.example" });
      await second.hears(`udp://192.0.2.7:50000 at udp by ${other}\n`, "three");
      balancer.send(writeProxyVersion2(new Address("udp", "203.0.113.9", 1, ""), HERE), "no");
      await server.record({ event: "refuse", rule: "deny 203.0.113.9" });
      // Who is told of nobody is the balancer itself; of a client of TCP it is one.
      balancer.send(writeProxyVersion2(undefined, undefined), "local");
      await balancer.when("the answers", () => balancer.heard.length === 2);
      assert.match(
        balancer.heard.splice(0).join(""),
        /^udp:\/\/127.0.0.1:\d+ at udp by itself\nlocal$/,
      );
      balancer.send(writeProxyVersion2(new Address("tcp", "192.0.2.8", 9, ""), HERE), "t");
      await balancer.hears(`tcp://192.0.2.8:9 at tcp by ${way()}\n`, "t");
      await server.stop();
    });

    test("whoever may not say it is refused, and so is what is wrong; nobody is answered", async (t) => {
      const { server, endpoint } = await serve(t, strategy);
      const liar = await Sender.open(t, endpoint, "127.0.0.2");
      liar.send(V2, "x");
      const lie = await server.record({ event: "refuse", rule: "proxyProtocol" });
      assert.match(String(lie["remote"]), /^udp:\/\/127\.0\.0\.2:/);
      const balancer = await Sender.open(t, endpoint);
      const wrongs: [Uint8Array | string, RegExp][] = [
        ["x", /there is no PROXY header/],
        ["", /there is no PROXY header/],
        [V2.subarray(0, 11), /there is no PROXY header/],
        [V2.subarray(0, 14), /longer than its datagram/],
        [V2.subarray(0, 40), /longer than its datagram/],
        [V2.map((byte, at) => at === 20 ? byte ^ 1 : byte), /checksum/],
        [V2.map((byte, at) => at === 12 ? 0x31 : byte), /of version 3/],
        [writeProxyVersion1(PEER, HERE), /of version 1 is for streams/],
      ];
      for (const [index, [what, why]] of wrongs.entries()) {
        balancer.send(what);
        const { message } = await server.record(
          { event: "refuse", limit: "proxyProtocol" },
          index + 1,
        );
        assert.match(String(message), why);
      }
      balancer.send(V2, "right");
      await balancer.hears(
        `udp://192.0.2.7:50000 at udp by ${way({ authority: "a.example" })}\n`,
        "right",
      );
      assert.deepEqual(liar.heard, []);
      const status = await server.status("s");
      assert.deepEqual([status["refused"], status["served"]], [9, 1]);
      await server.stop();
    });

    test("with accept, who sends none is served as itself; a lie is refused", async (t) => {
      const proxyProtocol = { from: ["127.0.0.1"], mode: "accept" };
      const { server, endpoint } = await serve(t, strategy, { proxyProtocol });
      const other = await Sender.open(t, endpoint, "127.0.0.2");
      // As SIP keeps its way open: it begins as a header does.
      for (const text of ["hello", "\r\n\r\n"]) {
        other.send(text);
        await other.when("two", () => other.heard.length === 2);
        assert.match(other.heard[0]!, /^udp:\/\/127\.0\.0\.2:\d+ at udp by itself\n$/);
        assert.equal(other.heard.splice(0)[1], text);
      }
      other.send(V2, "x");
      await server.record({ event: "refuse", rule: "proxyProtocol" });
      const balancer = await Sender.open(t, endpoint);
      balancer.send(V2, "told");
      await balancer.hears(
        `udp://192.0.2.7:50000 at udp by ${way({ authority: "a.example" })}\n`,
        "told",
      );
      await server.stop();
    });
  });
}
