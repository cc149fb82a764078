/** How streams end: in order, in halves, by force, or because the peer does. */
import assert from "node:assert/strict";
import type { Support } from "../../runtime/core/contract.ts";
import { until } from "../support/until.ts";
import { assertBytes, encode, pattern, text } from "./harness.ts";
import type { Harness } from "./harness.ts";
import type { Tapped } from "./recorder.ts";
import type { Case } from "./stage.ts";

const MEGABYTE = 1024 * 1024;

const resets = ({ adapter }: Harness): Support => adapter.features.resets;

export const endings: readonly Case[] = [
  {
    name: "half-close by the peer: the server writes 5 MB after it",
    needs: ({ halfClose }) => halfClose,
    async run(stage) {
      const sent = pattern(5 * MEGABYTE);
      const { peer, connection } = await stage.pair({
        end(connection) {
          connection.write(sent.subarray(0, 1000));
          setImmediate(() => {
            connection.write(sent.subarray(1000));
            connection.end();
          });
        },
      });
      peer.end();
      await until("the server's end", () => peer.ended);
      assertBytes(peer.bytes(), sent, "received");
      await until("close", () => connection.closed);
      assert.equal(connection.error, undefined);
    },
  },
  {
    name: "half-close by the server: the peer sends 5 MB after it",
    async run(stage) {
      const { peer, connection } = await stage.pair({
        open(connection) {
          connection.write(encode("bye"));
          connection.end();
        },
      });
      await until("the server's end", () => peer.ended);
      assert.equal(text(peer.bytes()), "bye");
      assert.equal(connection.closed, false);
      const sent = pattern(5 * MEGABYTE);
      peer.write(sent);
      peer.end();
      await until("close", () => connection.closed);
      assertBytes(connection.bytes(), sent, "received");
      assert.equal(connection.events.at(-2), "end");
      assert.equal(connection.error, undefined);
    },
  },
  {
    name: "end after a big write loses nothing",
    async run(stage) {
      const { peer, connection } = await stage.pair({}, { reading: false });
      const sent = pattern(8 * MEGABYTE);
      connection.write(sent);
      connection.end();
      await stage.settle();
      assert.equal(peer.ended, false);
      peer.read();
      await until("the server's end", () => peer.ended);
      assertBytes(peer.bytes(), sent, "received");
      peer.end();
      await until("close", () => connection.closed);
      assert.equal(connection.error, undefined);
    },
  },
  {
    name: "both ends at once: close comes once, without an error",
    async run(stage) {
      const { peer, connection } = await stage.pair();
      connection.end();
      peer.end();
      await until("close", () => connection.closed);
      assert.deepEqual(connection.events, ["open", "end", "close"]);
      assert.equal(connection.error, undefined);
    },
  },
  {
    name: "abort closes at once, and drops what is pending",
    async run(stage) {
      const { peer, connection } = await stage.pair({}, { reading: false });
      connection.write(pattern(16 * MEGABYTE));
      connection.abort();
      assert.equal(connection.pending, 0);
      await until("close", () => connection.closed);
      assert.equal(connection.error, undefined, "who aborts is at no fault");
      peer.read();
      await until("the peer to see it", () => peer.gone || peer.ended);
      assert.ok(peer.received < 16 * MEGABYTE);
    },
  },
  {
    name: "abort makes the peer see a reset",
    only: "tcp",
    needs: resets,
    async run(stage) {
      const { peer, connection } = await stage.pair();
      connection.abort();
      await until("the reset", () => peer.gone);
      assert.ok(peer.wasReset);
      await until("close", () => connection.closed);
    },
  },
  {
    name: "abort in the turn of end is followed by close",
    async run(stage) {
      const { peer, connection } = await stage.pair({
        end(connection) {
          connection.write(encode("last"));
          connection.end();
          connection.abort();
        },
      });
      peer.end();
      await until("close", () => connection.closed);
    },
  },
  {
    name: "a quiet abort ends in order, after what the kernel has taken",
    async run(stage) {
      const { peer, connection } = await stage.pair();
      connection.write(encode("last words"));
      await until("them", () => peer.received === 10);
      connection.abort(true);
      await until("the end", () => peer.ended);
      assert.equal(peer.wasReset, false);
      await until("close", () => connection.closed);
      assert.equal(connection.error, undefined);
    },
  },
  ...(["open", "data", "end", "drain"] as const).map((where): Case => ({
    name: `abort inside ${where}: close follows, and nothing between`,
    async run(stage) {
      let aborted = false;
      const abort = (connection: Tapped): void => {
        connection.abort();
        aborted = true;
      };
      const { peer, connection } = await stage.pair({
        [where]: abort,
        ...(where === "drain" && {
          open: (connection: Tapped) => void connection.write(pattern(16 * MEGABYTE)),
        }),
      });
      if (where === "data") peer.write(pattern(MEGABYTE));
      if (where === "end") peer.end();
      await until("the abort", () => aborted);
      const chunks = connection.chunks.length;
      await until("close", () => connection.closed);
      assert.equal(connection.chunks.length, chunks);
      assert.equal(connection.events.at(-1), "close");
      assert.equal(connection.events.includes("end"), where === "end");
    },
  })),
  {
    name: "abort while paused closes",
    async run(stage) {
      const { peer, connection } = await stage.pair({ open: (connection) => connection.pause() });
      peer.write("never read");
      await stage.settle();
      connection.abort();
      await until("close", () => connection.closed);
      assert.deepEqual(connection.events, ["open", "close"]);
    },
  },
  {
    name: "after end, writing is ignored and true; a second end changes nothing",
    async run(stage) {
      const { peer, connection } = await stage.pair();
      connection.write(encode("all"));
      connection.end();
      assert.equal(connection.write(encode("too late")), true);
      connection.end();
      await until("the server's end", () => peer.ended);
      assert.equal(text(peer.bytes()), "all");
      peer.end();
      await until("close", () => connection.closed);
    },
  },
  {
    name: "after abort and after close, every verb is ignored",
    async run(stage) {
      const { peer, connection } = await stage.pair();
      connection.abort();
      const all = (): void => {
        assert.equal(connection.write(encode("too late")), true);
        connection.pause();
        connection.resume();
        connection.end();
        connection.abort();
        connection.abort(true);
      };
      all();
      await until("close", () => connection.closed);
      all();
      assert.equal(connection.pending, 0);
      await until("the peer to see it", () => peer.gone || peer.ended);
      assert.equal(peer.received, 0);
    },
  },
  {
    name: "a peer that resets gives close with an error of side peer, and no end",
    only: "tcp",
    async run(stage) {
      const { peer, connection } = await stage.pair();
      peer.write("x");
      await until("the byte", () => connection.received === 1);
      peer.reset();
      await until("close", () => connection.closed);
      assert.equal(connection.error?.code, "ECONNRESET");
      assert.equal(connection.error?.side, "peer");
      assert.deepEqual(connection.events, ["open", "data", "close"]);
      assert.equal(connection.write(encode("too late")), true);
      connection.pause();
      connection.resume();
      connection.end();
      connection.abort();
      assert.equal(connection.pending, 0);
    },
  },
  {
    name: "a peer that resets while we are paused is noticed at the latest after resume",
    only: "tcp",
    async run(stage) {
      const { peer, connection } = await stage.pair({ open: (connection) => connection.pause() });
      peer.reset();
      await stage.settle();
      if (!connection.closed) connection.resume();
      await until("close", () => connection.closed);
      assert.equal(connection.error?.side, "peer");
    },
  },
  {
    name: "a peer that leaves while we are writing costs its own connection only",
    async run(stage) {
      const { server, peer, connection } = await stage.pair({
        data: (connection, chunk) => void connection.write(chunk),
      }, { reading: false });
      const other = await stage.connect(server);
      connection.write(pattern(16 * MEGABYTE));
      await stage.settle();
      peer.leave();
      await until("close", () => connection.closed);
      if (connection.error !== undefined) assert.equal(connection.error.side, "peer");
      assert.equal(connection.pending, 0);
      other.write("still here");
      await until("the echo", () => other.received === 10);
    },
  },
];
