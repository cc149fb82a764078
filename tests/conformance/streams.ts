/** A stream from its open to its close. */
import assert from "node:assert/strict";
import { until } from "../support/until.ts";
import { assertBytes, concat, encode, pattern, text } from "./harness.ts";
import type { Behaviour, Tapped } from "./recorder.ts";
import type { Case } from "./stage.ts";

const echo: Behaviour = {
  data: (connection, chunk) => void connection.write(chunk),
  end: (connection) => connection.end(),
};

const MEGABYTE = 1024 * 1024;

export const streams: readonly Case[] = [
  {
    name: "a conversation is open, data, end, close, in this order",
    async run(stage) {
      const { peer, connection } = await stage.pair(echo);
      peer.write("hello");
      await until("the echo", () => peer.received === 5);
      assert.equal(text(peer.bytes()), "hello");
      peer.end();
      await until("the server's end", () => peer.ended);
      await until("close", () => connection.closed);
      assert.deepEqual(connection.events, ["open", "data", "end", "close"]);
      assert.equal(connection.error, undefined);
    },
  },
  {
    name: "a peer that comes and goes at once is open, end, close without an error",
    async run(stage) {
      const server = await stage.listen({ end: (connection) => connection.end() });
      for (let i = 0; i < 50; i++) (await stage.connect(server)).end();
      await until(
        "50 closes",
        () => server.connections.filter(({ closed }) => closed).length === 50,
      );
      for (const { events, error } of server.connections) {
        assert.deepEqual(events, ["open", "end", "close"]);
        assert.equal(error, undefined);
      }
    },
  },
  {
    name: "100 connections at once do not disturb each other",
    async run(stage) {
      const server = await stage.listen(echo);
      const peers = await Promise.all(
        Array.from({ length: 100 }, () => stage.connect(server)),
      );
      const sent = peers.map((peer, i) => {
        const bytes = pattern(1000 + 37 * i, i);
        peer.write(bytes);
        peer.end();
        return bytes;
      });
      await until("the end of all", () => peers.every(({ ended }) => ended));
      peers.forEach((peer, i) => assertBytes(peer.bytes(), sent[i]!, `peer ${i}`));
    },
  },
  {
    name: "the core's slot is left alone, and survives until close",
    async run(stage) {
      const slot = { mine: true };
      const seen: unknown[] = [];
      const { server, peer, connection } = await stage.pair({
        ...echo,
        close: ({ connection }) => seen.push(connection.data),
      });
      const other = await stage.connect(server);
      const second = await server.connection(1);
      assert.notEqual(connection.connection.data, second.connection.data);
      Object.assign(connection, { slot });
      peer.write("x");
      await until("the echo", () => peer.received === 1);
      peer.end();
      other.end();
      await until("both closes", () => seen.length === 2);
      assert.ok(seen.includes(connection) && seen.includes(second));
    },
  },
  {
    name: "remote and local are those that the peer sees, and stay readable after the close",
    async run(stage) {
      const asked: string[] = [];
      const { server, peer, connection } = await stage.pair({
        ...echo,
        open: ({ connection: { remote, local } }) => asked.push(String(remote), String(local)),
      });
      const local = String(server.listener.address);
      assert.deepEqual(asked, [peer.local, local]);
      if (stage.transport === "tcp") assert.equal(peer.remote, local);
      peer.end();
      await until("close", () => connection.closed);
      assert.equal(String(connection.connection.remote), peer.local);
      assert.equal(connection.connection.pending, 0);
    },
  },
  {
    name: "bytes arrive whole and in order: 8 MB in pieces of all sizes",
    async run(stage) {
      const { peer, connection } = await stage.pair({ end: (connection) => connection.end() });
      const sent = pattern(8 * MEGABYTE);
      for (let at = 0, size = 1; at < sent.length; at += size, size = size * 7 % 100_003) {
        peer.write(sent.subarray(at, at + size));
      }
      peer.end();
      await until("close", () => connection.closed);
      assertBytes(connection.bytes(), sent, "received");
    },
  },
  {
    name: "an echo of 4 MB is what was sent, also when its peer reads late",
    async run(stage) {
      const { peer, connection } = await stage.pair({
        data(connection, chunk) {
          if (!connection.write(chunk)) connection.pause();
        },
        drain: (connection) => connection.resume(),
        end: (connection) => connection.end(),
      }, { reading: false });
      const sent = pattern(4 * MEGABYTE);
      peer.write(sent);
      peer.end();
      await stage.settle();
      peer.read();
      await until(() => `the echo, ${peer.received} bytes so far`, () => peer.ended);
      assertBytes(peer.bytes(), sent, "echo");
      await until("close", () => connection.closed);
    },
  },
  {
    name: "parts of a chunk may be written, more than once",
    async run(stage) {
      const { peer, connection } = await stage.pair({
        data(connection, chunk) {
          connection.write(chunk.subarray(0, 3));
          connection.write(chunk.subarray(3));
          connection.write(chunk);
        },
        end: (connection) => connection.end(),
      });
      let wanted = "";
      for (let i = 0; i < 60; i++) {
        const message = `message ${i};`;
        wanted += message + message;
        peer.write(message);
        await until("its echo", () => peer.received === wanted.length);
      }
      assert.equal(text(peer.bytes()), wanted);
      peer.end();
      await until("close", () => connection.closed);
    },
  },
  {
    name: "a chunk written to another connection arrives as it was, while reads go on",
    async run(stage) {
      let target: Tapped | undefined;
      const server = await stage.listen({
        open(connection) {
          target ??= connection;
        },
        data: (_, chunk) => void target!.write(chunk),
        end(connection) {
          if (connection !== target) target!.end();
        },
      });
      const reader = await stage.connect(server, { reading: false });
      await server.connection(0);
      const writer = await stage.connect(server);
      const sent = pattern(4 * MEGABYTE);
      // Small pieces first, each of which is read into whatever buffer a quiet connection has.
      for (let at = 0; at < 64 * 1024; at += 64) writer.write(sent.subarray(at, at + 64));
      await until("64 KiB at the server", () => (server.connections[1]?.received ?? 0) >= 65536);
      writer.write(sent.subarray(64 * 1024));
      writer.end();
      const sender = await server.connection(1);
      await until("all at the server", () => sender.ended);
      reader.read();
      await until("all at the reader", () => reader.ended);
      assertBytes(reader.bytes(), sent, "broadcast");
    },
  },
  {
    name: "one chunk goes to ten others, small messages one by one",
    async run(stage) {
      const server = await stage.listen({
        data(_, chunk) {
          for (const other of server.connections) other.write(chunk);
        },
      });
      const peers = await Promise.all(Array.from({ length: 10 }, () => stage.connect(server)));
      await server.connection(9);
      let wanted = "";
      for (let i = 0; i < 50; i++) {
        const message = `round ${i} `;
        wanted += message;
        peers[i % 10]!.write(message);
        await until(
          "it everywhere",
          () => peers.every(({ received }) => received === wanted.length),
        );
      }
      for (const peer of peers) assert.equal(text(peer.bytes()), wanted);
    },
  },
  {
    name: "a chunk lent is valid until data returns, and nobody writes into a write",
    async run(stage) {
      const { peer, connection } = await stage.pair({
        data(connection, chunk) {
          const before = chunk.slice();
          connection.write(chunk);
          assertBytes(chunk, before, "the chunk after write");
        },
      }, { reading: false });
      const sent = Array.from({ length: 100 }, (_, i) => encode(`line ${i} ${"-".repeat(i)}\n`));
      let length = 0;
      for (const line of sent) {
        peer.write(line);
        length += line.length;
        await until("the line", () => connection.received === length);
      }
      peer.read();
      await until("all", () => peer.received === length);
      assertBytes(peer.bytes(), connection.bytes(), "lines");
    },
  },
  {
    name: "a chunk that data keeps is not touched any more, whatever follows it",
    async run(stage) {
      const kept: Uint8Array[] = [];
      const { peer, connection } = await stage.pair({
        data(_, chunk) {
          kept.push(chunk);
          return true;
        },
        end: (connection) => connection.end(),
      });
      const sent = pattern(2 * MEGABYTE);
      for (let at = 0; at < 64 * 64; at += 64) {
        peer.write(sent.subarray(at, at + 64));
        await until("the piece", () => connection.received === at + 64);
      }
      peer.write(sent.subarray(64 * 64));
      peer.end();
      await until("close", () => connection.closed);
      assertBytes(concat(kept), sent, "kept");
    },
  },
  {
    name: "kept or lent, chunk by chunk: each is what it was as long as it has to be",
    async run(stage) {
      const kept: [chunk: Uint8Array, copy: Uint8Array][] = [];
      const { peer, connection } = await stage.pair({
        data(connection, chunk) {
          connection.write(chunk);
          if (chunk[0]! % 3 > 0) return false;
          kept.push([chunk, new Uint8Array(chunk)]);
          return true;
        },
        end: (connection) => connection.end(),
      }, { reading: false });
      const sent = pattern(3 * MEGABYTE);
      for (let at = 0, size = 1; at < sent.length; at += size, size = size * 5 % 90_001) {
        peer.write(sent.subarray(at, at + size));
      }
      peer.end();
      await stage.settle();
      peer.read();
      await until("the echo", () => peer.ended);
      assertBytes(peer.bytes(), sent, "echo");
      for (const [chunk, copy] of kept) assertBytes(chunk, copy, "kept");
      await until("close", () => connection.closed);
    },
  },
  {
    name: "slice copies a chunk, and a part of one",
    async run(stage) {
      const copies: Uint8Array[] = [];
      const { peer, connection } = await stage.pair({
        data(_, chunk) {
          copies.push(chunk.slice(0, 7), chunk.subarray(7).slice());
        },
      });
      let sent = "";
      for (let i = 0; i < 20; i++) {
        const message = `message ${i};`.repeat(i % 5 === 0 ? 5000 : 1);
        peer.write(message);
        sent += message;
        await until("it", () => connection.received === sent.length);
      }
      assert.equal(text(concat(copies)), sent);
    },
  },
  {
    name: "defer runs once, soon, and not inside the call",
    async run(stage) {
      let count = 0;
      await stage.listen();
      stage.adapter.defer(() => count++);
      assert.equal(count, 0);
      await until("the deferred call", () => count > 0);
      await stage.settle();
      assert.equal(count, 1);
    },
  },
];
