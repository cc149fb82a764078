/** The PROXY protocol in front of a server of its own. Under every strategy: `tests/parity/cases/proxied.ts`. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { Address } from "../../runtime/core/endpoint.ts";
import {
  writeProxyVersion1,
  writeProxyVersion2,
} from "../../runtime/core/prologue/write-proxy-header.ts";
import { lackingFeature } from "../support/adapter.ts";
import { folder } from "../support/folder.ts";
import { Peer } from "../support/peer.ts";
import type { Scope } from "../support/scope.ts";
import {
  manifest,
  pluginPath,
  type ServerProcess,
  startServer,
} from "../support/server-process.ts";
import { lackingStrategy } from "../support/strategies.ts";

const PEER = new Address("tcp", "192.0.2.7", 50000, "");
const HERE = new Address("tcp", "198.51.100.1", 443, "");
const V1 = writeProxyVersion1(PEER, HERE);
const V2 = writeProxyVersion2(PEER, HERE, { authority: "a.example", alpn: "h2" }, true);

const FROM = { from: ["127.0.0.1", "127.0.0.3"], wait: "2s" };

async function serve(
  scope: Scope,
  strategy: string,
  more: object = {},
  listen: string | string[] = "tcp://127.0.0.1:0",
): Promise<{ server: ServerProcess; endpoint: string }> {
  const workers = strategy === "processes" ? { workers: 1 } : {};
  const concurrency = { strategy, ...workers };
  const s = { plugin: pluginPath("via"), listen, concurrency, proxyProtocol: FROM, ...more };
  const server = await startServer(scope, folder(scope, { "portico.json": manifest({ s }) }));
  return { server, endpoint: server.endpoint("s", "tcp") };
}

const skip = lackingFeature("descriptors");

for (const strategy of ["async", "processes"] as const) {
  describe(`proxyProtocol under ${strategy}`, {
    skip: skip || lackingStrategy(strategy),
  }, () => {
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
