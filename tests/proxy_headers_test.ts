/** The plugin proxy tells its targets who the client is: the PROXY protocol. */
import assert from "node:assert/strict";
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { resolve } from "node:path";
import { describe, test, type TestContext } from "node:test";
import { Address, parseEndpoint } from "../runtime/core/endpoint.ts";
import { type ProxyHeader, readProxyHeader } from "../runtime/core/prologue/proxy-header.ts";
import { writeProxyVersion2 } from "../runtime/core/prologue/write-proxy-header.ts";
import { lackingFeature, lackingTransport } from "./support/adapter.ts";
import { folder } from "./support/folder.ts";
import { startManifest } from "./support/in-process.ts";
import { dial, openUdp } from "./support/peers.ts";
import { empty, proxy, target, TCP, UDP } from "./support/proxied.ts";
import { pluginPath } from "./support/server-process.ts";
import { until } from "./support/until.ts";

/** All that has come to a target, by connection. */
async function listener(
  t: TestContext,
  path?: string,
): Promise<
  { readonly endpoint: string; readonly heard: Uint8Array[]; readonly sockets: Socket[] }
> {
  const heard: Uint8Array[] = [];
  const { endpoint, sockets } = await target(t, (socket) => {
    const index = heard.push(new Uint8Array()) - 1;
    socket.on(
      "data",
      (chunk) => heard[index] = Buffer.concat([heard[index]!, chunk as Uint8Array]),
    );
    socket.on("end", () => socket.end("bye"));
  }, path);
  return { endpoint, heard, sockets };
}

/** A header, and what stands behind it. */
function read(bytes: Uint8Array): { readonly header: ProxyHeader; readonly rest: string } {
  const header = readProxyHeader(bytes);
  assert.ok(typeof header === "object", `a header: ${Buffer.from(bytes)}`);
  return { header, rest: String(Buffer.from(bytes.subarray(header.length))) };
}

function client(t: TestContext, endpoint: string, from: string): Socket {
  const { port } = parseEndpoint(endpoint) as { port: number };
  const socket = connect({ host: "127.0.0.1", port, localAddress: from });
  socket.on("error", () => {});
  t.after(() => void socket.destroy());
  return socket;
}

const PEER = new Address("tcp", "192.0.2.7", 50000, "");
const HERE = new Address("tcp", "198.51.100.1", 443, "");

for (const version of [1, 2] as const) {
  for (const transport of ["tcp", "unix"] as const) {
    describe(`proxy: a header of version ${version} to ${transport}`, {
      skip: lackingTransport(transport),
    }, () => {
      const place = (t: TestContext): string | undefined =>
        transport === "tcp" ? undefined : resolve(folder(t, {}), "target.sock");

      test("comes before the client's own bytes, once, and half-closes stay", async (t) => {
        const { endpoint, heard, sockets } = await listener(t, place(t));
        const server = await startManifest(t, proxy(endpoint, { proxyProtocol: version }));
        const front = server.endpoint("proxy");
        const peer = await dial(t, front);
        // Nobody has said anything yet: a target that speaks first waits for nothing.
        await until("the header", () => (heard[0]?.length ?? 0) > 0);
        const { header, rest } = read(heard[0]!);
        assert.equal(rest, "");
        assert.equal(header.version, version);
        const [open] = server.all({ event: "open", level: "info" });
        assert.deepEqual([String(header.remote), String(header.local)], [open!["remote"], front]);
        sockets[0]!.write("hello");
        await peer.hears("hello");
        peer.socket.end("all");
        await peer.when("the end", () => peer.ended);
        assert.equal(peer.text, "hellobye");
        assert.equal(read(heard[0]!).rest, "all");
        await empty(server);
      });

      test("is of each connection its own, after a target that was away, too", async (t) => {
        const { endpoint, heard } = await listener(t, place(t));
        const away = transport === "tcp" ? "tcp://127.0.0.1:1" : "unix:./nobody.sock";
        const options = { proxyProtocol: version };
        const server = await startManifest(t, proxy([away, endpoint], options));
        for (const from of ["127.0.0.5", "127.0.0.6", "127.0.0.7"]) {
          client(t, server.endpoint("proxy"), from).end(from);
        }
        await until(
          "three",
          () => heard.length === 3 && heard.every((one) => /0\.\d$/.test(`${one}`)),
        );
        for (const one of heard) {
          const { header, rest } = read(one);
          assert.equal(header.remote!.host, rest);
        }
        await empty(server);
      });
    });
  }

  test(`proxy: of a client without an address version ${version} says as much as there is`, {
    skip: lackingTransport("unix"),
  }, async (t) => {
    const { endpoint, heard } = await listener(t);
    const home = folder(t, {});
    const listen = `unix:${home}/front.sock`;
    const server = await startManifest(t, proxy(endpoint, { proxyProtocol: version }, { listen }));
    const peer = connect({ path: `${home}/front.sock` });
    t.after(() => void peer.destroy());
    peer.end("x");
    await until("all", () => heard[0]?.at(-1) === 120);
    const { header, rest } = read(heard[0]!);
    assert.equal(rest, "x");
    if (version === 1) assert.equal(String(heard[0]), "PROXY UNKNOWN\r\nx");
    else {assert.deepEqual([String(header.remote), header.local!.path], [
        "unix:",
        `${home}/front.sock`,
      ]);}
    await empty(server);
  });
}

test("proxy: a client that a balancer has told of is passed on with what was told of it", {
  skip: lackingFeature("descriptors"),
}, async (t) => {
  const { endpoint, heard } = await listener(t);
  const more = { proxyProtocol: { from: ["127.0.0.1"] } };
  const options = { proxyProtocol: { version: 2, crc32c: true } };
  const server = await startManifest(t, proxy(endpoint, options, more));
  const tls = { certificate: true, verified: true, version: "TLSv1.3", commonName: "me" };
  const values = {
    alpn: "h2",
    authority: "a.example",
    uniqueId: "00ff",
    tls,
    others: { 0xe0: "2a" },
  };
  const socket = client(t, server.endpoint("proxy"), "127.0.0.1");
  const first = writeProxyVersion2(PEER, HERE, { ...values, netns: "theirs" }, true);
  socket.end(Buffer.concat([first, Buffer.from("hi")]));
  await until("all", () => `${heard[0]}`.endsWith("hi"));
  const { header } = read(heard[0]!);
  assert.deepEqual([String(header.remote), String(header.local)], [String(PEER), String(HERE)]);
  assert.deepEqual(header.values, values);
  // The checksum is the last of its values.
  assert.equal(heard[0]![header.length - 7], 3);
  await empty(server);
});

for (const strategy of ["serial", "async"]) {
  test(`proxy: from Portico to Portico under ${strategy}, the client is the one that connects`, {
    skip: lackingFeature("descriptors"),
  }, async (t) => {
    const behind = await startManifest(t, {
      via: {
        plugin: pluginPath("via"),
        listen: TCP,
        concurrency: strategy,
        proxyProtocol: { from: ["127.0.0.1"] },
        access: { deny: ["127.0.0.9"] },
      },
    });
    for (const proxyProtocol of [1, 2]) {
      const front = await startManifest(t, proxy(behind.endpoint("via"), { proxyProtocol }));
      const peer = client(t, front.endpoint("proxy"), "127.0.0.5");
      let text = "";
      peer.on("data", (chunk) => text += String(chunk));
      peer.write("hello");
      await until("the answer", () => text.endsWith("hello"));
      const { port } = peer.address() as { port: number };
      const way = JSON.stringify({ remote: "127.0.0.1", local: "tcp", version: proxyProtocol });
      assert.equal(text, `tcp://127.0.0.5:${port} at tcp by ${way}\nhello`);
      peer.end();
      client(t, front.endpoint("proxy"), "127.0.0.9").end("hello");
      await behind.record({ event: "refuse", rule: "deny 127.0.0.9" }, proxyProtocol);
      await empty(front);
    }
  });
}

test("proxy: each datagram says who has sent it, and answers come back plain", {
  skip: lackingTransport("udp"),
}, async (t) => {
  const heard: Uint8Array[] = [];
  const socket = createSocket("udp4", (bytes, { port }) => {
    heard.push(bytes);
    socket.send(read(bytes).rest.toUpperCase(), port);
  });
  t.after(() => void socket.close());
  socket.bind(0, "127.0.0.1");
  await once(socket, "listening");
  const options = { proxyProtocol: 2, idle: "2s" };
  const to = `udp://127.0.0.1:${socket.address().port}`;
  const server = await startManifest(t, proxy(to, options, { listen: UDP }));
  const endpoint = server.endpoint("proxy", "udp");
  const senders = [await openUdp(t), await openUdp(t)];
  for (const text of ["one", "two"]) {
    for (const sender of senders) {
      const answer = await sender.ask(text, endpoint);
      assert.equal(new TextDecoder().decode(answer), text.toUpperCase());
    }
  }
  const all = heard.map(read);
  assert.deepEqual(all.map(({ rest }) => rest), ["one", "one", "two", "two"]);
  const told = all.map(({ header }) => String(header.remote));
  assert.deepEqual(told.slice(0, 2), told.slice(2));
  const opened = server.all({ event: "open", level: "debug" });
  const clients = opened.filter(({ outgoing }) => outgoing === undefined);
  assert.deepEqual(told, clients.map(({ remote }) => remote));
  for (const { header } of all) assert.equal(String(header.local), endpoint);
  await until("silence", () => server.live("proxy") === 0);
});
