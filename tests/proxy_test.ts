/** The plugin proxy over streams, and its options. */
import assert from "node:assert/strict";
import { type Socket } from "node:net";
import { resolve } from "node:path";
import process from "node:process";
import { test } from "node:test";
import { adapter } from "./support/adapter.ts";
import { folder } from "./support/folder.ts";
import { startManifest } from "./support/in-process.ts";
import { dial } from "./support/peers.ts";
import { until } from "./support/until.ts";

import { echo, empty, nobody, proxy, target, TCP } from "./support/proxied.ts";

test("proxy: passes both ways on, and keeps half-closes both ways", async (t) => {
  const said: string[] = [];
  const { endpoint } = await target(t, (socket) => {
    socket.write("hello");
    socket.on("data", (chunk) => said.push(String(chunk)));
    socket.on("end", () => {
      socket.write(` you said ${said.join("")}`);
      setTimeout(() => socket.end(" bye"), 20);
    });
  });
  const server = await startManifest(t, proxy(endpoint));
  const peer = await dial(t, server.endpoint("proxy"));
  await peer.hears("hello");
  peer.socket.end("something");
  await peer.when("the end", () => peer.ended);
  assert.equal(peer.text, "hello you said something bye");
  await empty(server);
  const [client] = server.all({ event: "close", level: "info" });
  assert.equal(client!["reason"], "peer");
  const [opened] = server.all({ event: "open", level: "debug" });
  assert.equal(opened!["outgoing"], true);
  assert.equal(opened!["remote"], endpoint);
});

test("proxy: the target may end first, and listen on", async (t) => {
  let heard = "";
  const { endpoint, sockets } = await target(t, (socket) => {
    socket.end("that was all");
    socket.on("data", (chunk) => heard += String(chunk));
  });
  const server = await startManifest(t, proxy(endpoint));
  const peer = await dial(t, server.endpoint("proxy"));
  await peer.when("the end", () => peer.ended);
  assert.equal(peer.text, "that was all");
  peer.socket.write("but ");
  await until("the first word", () => heard === "but ");
  peer.socket.end("I go on");
  await until("all words", () => heard === "but I go on");
  await until("the end at the target", () => sockets[0]!.readableEnded);
  await empty(server);
});

test("proxy: what is sent before the target has accepted is kept", async (t) => {
  const { endpoint } = await target(t, echo);
  const server = await startManifest(t, proxy(endpoint));
  const peer = await dial(t, server.endpoint("proxy"));
  const bytes = Uint8Array.from({ length: 300_000 }, (_, i) => i % 251);
  peer.socket.end(bytes);
  await peer.when("the end", () => peer.ended);
  assert.deepEqual(peer.bytes(), bytes);
  await empty(server);
});

for (const slow of ["client", "target"] as const) {
  test(`proxy: 32 MB past a slow ${slow} wait at their source, and nothing is lost`, async (t) => {
    const size = 32 * 1024 * 1024;
    const block = Uint8Array.from({ length: 1 << 16 }, (_, i) => (i * 7 + (i >> 8)) & 255);
    /** Sends all of it, as fast as it is taken. */
    const send = (socket: Socket, sent: { bytes: number }): void => {
      const more = (): void => {
        while (sent.bytes < size) {
          sent.bytes += block.length;
          if (!socket.write(block)) return void socket.once("drain", more);
        }
        socket.end();
      };
      more();
    };
    const sent = { bytes: 0 };
    let received = 0;
    let wrong = 0;
    const count = (socket: Socket): void => {
      socket.on("data", (chunk: Uint8Array) => {
        if (chunk[0] !== block[received % block.length]) wrong++;
        received += chunk.length;
        if (chunk.at(-1) !== block[(received - 1) % block.length]) wrong++;
      });
    };
    const { endpoint, sockets } = await target(t, (socket) => {
      socket.pause();
      if (slow === "client") send(socket, sent);
    });
    const server = await startManifest(t, proxy(endpoint));
    const peer = await dial(t, server.endpoint("proxy"), false);
    if (slow === "target") send(peer.socket, sent);
    // It comes to rest when every buffer on the way is full.
    let before = -1;
    await until("rest", () => sent.bytes > 0 && sockets.length > 0);
    while (before !== sent.bytes) {
      before = sent.bytes;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    assert.ok(sent.bytes < size - (8 << 20), `${sent.bytes} of ${size} have been taken`);
    const reader = slow === "client" ? peer.socket : sockets[0]!;
    count(reader);
    reader.resume();
    await until(() => `${received} of ${size}`, () => received >= size, 20_000);
    assert.equal(received, size);
    assert.equal(wrong, 0);
    for (const socket of [peer.socket, sockets[0]!]) socket.end();
    await empty(server);
  });
}

test("proxy: a reset of either side is the other's", async (t) => {
  const { endpoint, sockets } = await target(t, (socket) => void socket.resume());
  const server = await startManifest(t, proxy(endpoint));
  const first = await dial(t, server.endpoint("proxy"));
  await until("the target", () => sockets.length === 1);
  first.reset();
  // Where the adapter cannot reset, it is an end.
  await until("the end at the target", () => sockets[0]!.destroyed || sockets[0]!.readableEnded);
  await empty(server);
  const second = await dial(t, server.endpoint("proxy"));
  await until("the target", () => sockets.length === 2);
  sockets[1]!.resetAndDestroy();
  await second.over();
  if (adapter.features.resets === true) assert.equal(second.code, "ECONNRESET");
  await empty(server);
});

test("proxy: targets take turns, and one that is down is passed over, then left out", async (t) => {
  const name = (text: string) => (socket: Socket): void => void socket.end(text);
  const [a, c] = [await target(t, name("a")), await target(t, name("c"))];
  const b = await nobody();
  const server = await startManifest(
    t,
    proxy([a.endpoint, b, c.endpoint], { health: { fails: 2, retry: "1h" } }),
  );
  let heard = "";
  for (let i = 0; i < 12; i++) {
    const peer = await dial(t, server.endpoint("proxy"));
    await peer.when("the end", () => peer.ended);
    peer.end();
    heard += peer.text;
  }
  assert.equal(heard.length, 12, "nobody was turned away");
  assert.ok(/^acc/.test(heard) && (heard.match(/a/g) ?? []).length >= 4, heard);
  const warnings = server.all({ event: "log", level: "warn" }).map(({ text }) => String(text));
  assert.equal(warnings.filter((text) => text.includes("left out")).length, 1, warnings.join("\n"));
  assert.equal(server.all({ event: "log", level: "warn", code: "ECONNREFUSED" }).length, 2);
  await empty(server);
});

test("proxy: when all targets are down all are tried, and the client is told", async (t) => {
  const [a, b] = [await nobody(), await nobody()];
  const server = await startManifest(t, proxy([a, b], { health: { fails: 1, retry: "1h" } }));
  for (let i = 1; i <= 2; i++) {
    const peer = await dial(t, server.endpoint("proxy"));
    await peer.over();
    const errors = await server.count(i, { event: "error", level: "warn", code: "ECONNREFUSED" });
    assert.match(String(errors.at(-1)!["message"]), /^cannot connect to tcp:/);
    await server.count(i, { event: "log", text: /^cannot connect/ });
  }
  await empty(server);
});

test("proxy: a target that comes back is used again", async (t) => {
  const path = resolve(folder(t, {}), "late.sock");
  const server = await startManifest(
    t,
    proxy(`unix:${path}`, { health: { fails: 1, retry: "1h" } }),
  );
  const early = await dial(t, server.endpoint("proxy"));
  await early.over();
  const error = await server.record({ event: "error" });
  assert.equal(error["code"], "ENOENT");
  assert.equal(error.level, "warn");
  await target(t, echo, path);
  const late = await dial(t, server.endpoint("proxy"));
  await late.echo("again");
  await server.record({ event: "log", level: "info", text: /can be reached again/ });
});

test("proxy: relative Unix targets start at the manifest's folder", async (t) => {
  const server = await startManifest(t, {
    echo: { plugin: "echo", listen: "unix:./echo.sock" },
    ...proxy("unix:./echo.sock", {}, { listen: ["unix:./proxy.sock", TCP] }),
  });
  for (const transport of ["unix", "tcp"]) {
    const peer = await dial(t, server.endpoint("proxy", transport));
    await peer.echo("hello");
    peer.end();
    await peer.over();
  }
});

test("proxy: 100 clients at once", async (t) => {
  const server = await startManifest(t, { echo: { plugin: "echo", listen: TCP } });
  const other = await startManifest(t, proxy(server.endpoint("echo")));
  const peers = await Promise.all(
    Array.from({ length: 100 }, () => dial(t, other.endpoint("proxy"))),
  );
  await Promise.all(peers.map((peer, index) => peer.echo(`I am ${index}`)));
  for (const peer of peers) peer.end();
  await Promise.all(peers.map((peer) => peer.over()));
  await empty(other);
  assert.equal(server.all({ event: "open" }).length, 100);
});

test("proxy: a drain lets both sides end, then closes both", async (t) => {
  const { endpoint, sockets } = await target(t, echo);
  const server = await startManifest(t, proxy(endpoint, {}, { limits: { drain: "100ms" } }));
  const peer = await dial(t, server.endpoint("proxy"));
  await peer.echo("hello");
  await server.running.stop();
  await peer.over();
  await until("the end at the target", () => sockets[0]!.destroyed || sockets[0]!.readableEnded);
  assert.equal(server.all({ event: "close", level: "info" })[0]!["reason"], "drain");
  assert.equal(server.all({ event: "close" }).length, 2);
});

test("proxy: options that are wrong are errors of the manifest", async (t) => {
  for (
    const [options, pattern] of [
      [{}, /to/],
      [{ to: [] }, /or a list of them/],
      [{ to: "http://127.0.0.1:80" }, /tcp:\/\/HOST:PORT/],
      [{ to: "tcp://127.0.0.1" }, /HOST:PORT is needed/],
      [{ to: ["tcp://*:80"] }, /the host to connect to/],
      [{ to: "tcp://localhost:0" }, /the port to connect to/],
      [{ to: TCP.replace(":0", ":80"), balance: "random" }, /round-robin/],
      [{ to: TCP.replace(":0", ":80"), health: { fails: 0 } }, /whole number above 0/],
      [{ to: TCP.replace(":0", ":80"), idle: "none" }, /a duration above 0/],
      [{ to: TCP.replace(":0", ":80"), proxyProtocol: 3 }, /1, 2, or an object/],
      [{ to: TCP.replace(":0", ":80"), proxyProtocol: { version: 3 } }, /1, 2, or an object/],
      [{ to: ["udp://127.0.0.1:9"], proxyProtocol: 1 }, /2 where a target is udp:/],
    ] as const
  ) {
    await assert.rejects(
      startManifest(t, proxy(options as never, {}, { options })),
      (error: Error) => {
        const text = error.message + JSON.stringify((error as { problems?: unknown }).problems);
        assert.match(text.replaceAll("\\", ""), pattern);
        return true;
      },
    );
  }
});

test("proxy: a stream without a target for streams is told in the log", async (t) => {
  const server = await startManifest(t, proxy("udp://127.0.0.1:9"));
  const peer = await dial(t, server.endpoint("proxy"));
  await peer.over();
  const error = await server.record({ event: "error", code: "NOT_SUPPORTED" });
  assert.match(String(error["message"]), /"to" has no target for a stream/);
});

test("proxy: memory stays bounded while a client does not read", async (t) => {
  const block = new Uint8Array(1 << 20);
  const { endpoint } = await target(t, (socket) => {
    const more = (): void => {
      while (socket.write(block));
      socket.once("drain", more);
    };
    more();
  });
  const server = await startManifest(t, proxy(endpoint, {}, { limits: { writeBuffer: "1MiB" } }));
  const before = process.memoryUsage().rss;
  const peers = await Promise.all(
    Array.from({ length: 4 }, () => dial(t, server.endpoint("proxy"), false)),
  );
  await new Promise((resolve) => setTimeout(resolve, 500));
  const grown = process.memoryUsage().rss - before;
  assert.ok(grown < 128 << 20, `${grown} bytes more`);
  assert.equal(server.all({ event: "error" }).length, 0, "the write limit was not reached");
  for (const peer of peers) peer.leave();
  await empty(server);
});
