/** The plugin proxy over datagrams. */
import assert from "node:assert/strict";
import { createSocket } from "node:dgram";
import { test } from "node:test";
import { lackingFeature, lackingTransport } from "./support/adapter.ts";
import { startManifest } from "./support/in-process.ts";
import { dial, openDatagrams, openUdp } from "./support/peers.ts";
import { until } from "./support/until.ts";

import { echo, proxy, target, TCP, UDP } from "./support/proxied.ts";

test("proxy: each sender of datagrams has a socket of its own, until it is silent", async (t) => {
  const server = await startManifest(t, {
    echo: { plugin: "echo", listen: UDP },
  });
  const other = await startManifest(
    t,
    proxy(server.endpoint("echo", "udp"), { idle: "2s" }, { listen: UDP }),
  );
  const endpoint = other.endpoint("proxy", "udp");
  const senders = [await openUdp(t), await openUdp(t)];
  for (const text of ["one", "two", "three"]) {
    for (const [index, sender] of senders.entries()) {
      const answer = await sender.ask(`${text} ${index}`, endpoint);
      assert.equal(new TextDecoder().decode(answer), `${text} ${index}`);
    }
  }
  const remotes = new Set(server.all({ event: "open" }).map(({ remote }) => remote));
  assert.equal(remotes.size, 2, "two sockets for two senders");
  await until("silence", () => other.live("proxy") === 0);
  await other.count(2, { event: "close", reason: "done", bytesIn: 17 });
  const again = await senders[0]!.ask("again", endpoint);
  assert.equal(new TextDecoder().decode(again), "again");
  await until("silence", () => other.live("proxy") === 0);
});

test(
  "proxy: who sends to two addresses of ours is answered by each",
  { skip: lackingFeature("packetInfo") },
  async (t) => {
    const server = await startManifest(t, { echo: { plugin: "echo", listen: UDP } });
    const to = server.endpoint("echo", "udp");
    const other = await startManifest(
      t,
      proxy(to, { idle: "1h" }, {
        listen: "udp://0.0.0.0:0",
        limits: { drain: "10ms" },
      }),
    );
    const port = Number(other.endpoint("proxy", "udp").split(":").at(-1));
    const client = createSocket("udp4");
    t.after(() => new Promise<void>((resolve) => client.close(() => resolve())));
    const heard: string[] = [];
    client.on("message", (bytes, { address }) => heard.push(`${bytes} ${address}`));
    for (const host of ["127.0.0.5", "127.0.0.6", "127.0.0.5"]) {
      const before = heard.length;
      client.send(`to ${host}`, port, host);
      await until("an answer", () => heard.length > before);
      assert.equal(heard.at(-1), `to ${host} ${host}`);
    }
  },
);

test("proxy: of too many senders the one that was silent for longest is forgotten", async (t) => {
  const server = await startManifest(t, { echo: { plugin: "echo", listen: UDP } });
  const options = { idle: "1h", maxPeers: 2 };
  const service = { listen: UDP, limits: { drain: "10ms" } };
  const other = await startManifest(t, proxy(server.endpoint("echo", "udp"), options, service));
  const endpoint = other.endpoint("proxy", "udp");
  const senders = [await openUdp(t), await openUdp(t), await openUdp(t)];
  for (const index of [0, 1, 0, 2, 0]) await senders[index]!.ask("hello", endpoint);
  const remotes = server.all({ event: "open" }).map(({ remote }) => remote);
  assert.equal(remotes[0], remotes[2]);
  assert.equal(remotes[0], remotes[4], "it was the second that went");
  await until("two", () => other.live("proxy") === 2);
});

test("proxy: datagrams to nobody are an error of the target, and the service goes on", async (t) => {
  const none = await openUdp(t);
  const { endpoint: tcp } = await target(t, echo);
  const server = await startManifest(
    t,
    proxy(["udp://127.0.0.1:1", tcp], { idle: "100ms" }, { listen: [UDP, TCP] }),
  );
  none.send("hello", server.endpoint("proxy", "udp"));
  await server.record({ event: "error", code: "ECONNREFUSED", level: "debug" });
  const peer = await dial(t, server.endpoint("proxy", "tcp"));
  await peer.echo("streams are passed on as before");
  await until("silence", () => server.live("proxy") === 1);
});

test(
  "proxy: Unix datagrams are passed on",
  { skip: lackingTransport("unixgram") },
  async (t) => {
    const server = await startManifest(t, {
      echo: { plugin: "echo", listen: "unixgram:./echo.dgram" },
      ...proxy("unixgram:./echo.dgram", { idle: "100ms" }, { listen: "unixgram:./proxy.dgram" }),
    });
    const someone = await openDatagrams(t, "unixgram");
    const answer = await someone.ask("hello", server.endpoint("proxy", "unixgram"));
    assert.equal(new TextDecoder().decode(answer), "hello");
    await until("silence", () => server.live("proxy") === 0);
  },
);

for (const transport of ["udp", "unixgram"] as const) {
  test(`proxy: 200 senders over ${transport} are all answered, again and again`, {
    skip: lackingTransport(transport),
  }, async (t) => {
    const [to, listen] = transport === "udp" ? [UDP, UDP] : ["unixgram:./to", "unixgram:./from"];
    const server = await startManifest(t, { echo: { plugin: "echo", listen: to } });
    const target = server.endpoint("echo", transport);
    const other = await startManifest(t, proxy(target, {}, { listen, limits: { drain: "10ms" } }));
    const endpoint = other.endpoint("proxy", transport);
    const senders = await Promise.all(
      Array.from({ length: 200 }, () => openDatagrams(t, transport)),
    );
    for (let round = 0; round < 2; round++) {
      let next = 0;
      // The queue of a Unix socket is short.
      await Promise.all(Array.from({ length: 8 }, async () => {
        while (next < senders.length) {
          const index = next++;
          const answer = await senders[index]!.ask(`${round} ${index}`, endpoint);
          assert.equal(new TextDecoder().decode(answer), `${round} ${index}`);
        }
      }));
    }
    assert.equal(other.live("proxy"), 200);
  });
}
