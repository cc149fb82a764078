/** Back-pressure, both ways: pause and resume, pending and drain. */
import assert from "node:assert/strict";
import { until } from "../support/until.ts";
import { assertBytes, encode, pattern } from "./harness.ts";
import type { Case } from "./stage.ts";
import { kernel } from "./stage.ts";

const MEGABYTE = 1024 * 1024;

export const flow: readonly Case[] = [
  {
    name: "paused in open, nothing is read until resume; then data and end come whole",
    async run(stage) {
      const { peer, connection } = await stage.pair({
        open: (connection) => connection.pause(),
        end: (connection) => connection.end(),
      });
      const sent = pattern(100_000);
      peer.write(sent);
      peer.end();
      await stage.settle();
      assert.deepEqual(connection.events, ["open"]);
      connection.resume();
      await until("close", () => connection.closed);
      assertBytes(connection.bytes(), sent, "received");
      assert.deepEqual(connection.events, ["open", "data", "end", "close"]);
    },
  },
  {
    name: "paused inside data, there is one chunk for each resume, and none is lost",
    async run(stage) {
      let chunks = 0;
      const { peer, connection } = await stage.pair({
        data(connection) {
          chunks++;
          connection.pause();
        },
        end: (connection) => connection.end(),
      });
      const sent = pattern(MEGABYTE);
      peer.write(sent);
      peer.end();
      await until("the first chunk", () => chunks === 1);
      await stage.settle();
      assert.equal(chunks, 1);
      while (!connection.closed) {
        const before: number = chunks;
        connection.resume();
        await until("a chunk or the close", () => chunks > before || connection.closed);
        assert.ok(chunks - before <= 1);
      }
      assertBytes(connection.bytes(), sent, "received");
    },
  },
  {
    name: "an end that comes while paused is told after resume",
    async run(stage) {
      const { peer, connection } = await stage.pair({ end: (connection) => connection.end() });
      connection.pause();
      peer.end();
      await stage.settle();
      assert.deepEqual(connection.events, ["open"]);
      connection.resume();
      await until("close", () => connection.closed);
      assert.deepEqual(connection.events, ["open", "end", "close"]);
    },
  },
  {
    name: "pause and resume in turns, inside and outside of data, lose nothing",
    async run(stage) {
      const { peer, connection } = await stage.pair({
        data(connection, chunk) {
          connection.pause();
          if (chunk[0]! % 2 === 0) return connection.resume();
          setImmediate(() => {
            connection.resume();
            connection.resume();
          });
        },
        end: (connection) => connection.end(),
      });
      const sent = pattern(2 * MEGABYTE);
      for (let at = 0; at < sent.length; at += 10_007) peer.write(sent.subarray(at, at + 10_007));
      peer.end();
      await until("close", () => connection.closed);
      assertBytes(connection.bytes(), sent, "received");
    },
  },
  {
    name: "a paused connection writes all the same",
    async run(stage) {
      const { peer, connection } = await stage.pair({ open: (connection) => connection.pause() });
      peer.write("unread");
      const sent = pattern(3 * MEGABYTE);
      connection.write(sent);
      connection.end();
      await until("the peer's end", () => peer.ended);
      assertBytes(peer.bytes(), sent, "received");
      assert.deepEqual(connection.events.filter((event) => event !== "drain"), ["open"]);
    },
  },
  {
    name: "who is not read is slowed down: 24 MB wait at the peer, and come whole after resume",
    needs: kernel,
    async run(stage) {
      const { peer, connection } = await stage.pair({
        open: (connection) => connection.pause(),
        end: (connection) => connection.end(),
      });
      const sent = pattern(24 * MEGABYTE);
      peer.write(sent);
      peer.end();
      await stage.settle();
      assert.ok(peer.unsent > 8 * MEGABYTE, `${peer.unsent} bytes are still with the peer`);
      connection.resume();
      await until(() => `${connection.received} of ${sent.length} bytes`, () => connection.closed);
      assertBytes(connection.bytes(), sent, "received");
    },
  },
  {
    name: "16 MB in one write arrive whole at a slow reader; pending goes up and down",
    async run(stage) {
      const { peer, connection } = await stage.pair({}, { reading: false });
      const sent = pattern(16 * MEGABYTE);
      assert.equal(connection.pending, 0);
      assert.equal(connection.write(sent), false);
      assert.ok(connection.pending > 0 && connection.pending <= sent.length);
      await stage.settle();
      assert.ok(connection.pending > 0, "nobody has read yet");
      assert.equal(connection.drains, 0);
      peer.read();
      await until("all bytes", () => peer.received === sent.length);
      await until("drain", () => connection.drains === 1);
      assert.equal(connection.pending, 0);
      assertBytes(peer.bytes(), sent, "received");
    },
  },
  {
    name: "3,000 writes of all sizes arrive in order at a slow reader",
    async run(stage) {
      const { peer, connection } = await stage.pair({}, { reading: false });
      const sent = pattern(12 * MEGABYTE);
      let at = 0;
      for (let i = 0; at < sent.length; i++) {
        const size = i % 10 === 0 ? 40_000 : 1 + i * 31 % 500;
        connection.write(sent.subarray(at, at + size));
        at += size;
      }
      connection.end();
      peer.read();
      await until("the end", () => peer.ended);
      assertBytes(peer.bytes(), sent, "received");
    },
  },
  {
    name: "drain comes once for any number of writes that returned false, and again the next time",
    async run(stage) {
      const { peer, connection } = await stage.pair({}, { reading: false });
      const block = pattern(4 * MEGABYTE);
      for (let round = 1; round <= 3; round++) {
        let refused = 0;
        for (let i = 0; i < 4; i++) if (!connection.write(block)) refused++;
        assert.ok(refused > 0);
        if (round === 1) peer.read();
        await until(`drain ${round}`, () => connection.drains === round);
      }
      await until("all bytes", () => peer.received === 12 * block.length);
      await stage.settle();
      assert.equal(connection.drains, 3);
    },
  },
  {
    name: "writing goes on in drain, as fast as the peer reads",
    async run(stage) {
      const block = pattern(100_000);
      const total = 100;
      let left = total;
      const { peer, connection } = await stage.pair({
        open: (connection) => fill(connection),
        drain: (connection) => fill(connection),
      });
      function fill(target: { write(bytes: Uint8Array): boolean; end(): void }): void {
        while (left > 0) {
          left--;
          if (!target.write(block)) return;
        }
        target.end();
      }
      await until("the end", () => peer.ended);
      assert.equal(peer.received, total * block.length);
      assert.equal(connection.pending, 0);
    },
  },
  {
    name: "small writes do not ask to wait",
    async run(stage) {
      const { peer, connection } = await stage.pair();
      for (let i = 0; i < 100; i++) assert.equal(connection.write(encode("0123456789")), true);
      await until("all bytes", () => peer.received === 1000);
      await stage.settle();
      assert.equal(connection.drains, 0);
      assert.equal(connection.pending, 0);
    },
  },
];
