/** What goes through a session is bounded, in all and by the second, each way. */
import assert from "node:assert/strict";
import { type Case, DATAGRAMS, STREAMS } from "../case.ts";
import type { Stage } from "../stage.ts";

/** Waits for the one answer that was too large, and for none to have come. */
async function unanswered(stage: Stage, limit: string): Promise<void> {
  const call = await stage.call("times 100");
  await stage.records("refuse", 1, { limit, level: "warn" });
  await stage.idle({ served: 2, refused: 1, errors: 0, tallied: { [limit]: 1 } });
  assert.ok(!call.answered);
}

export const BYTES: readonly Case[] = [
  {
    name: "chunks that are lent, and written before the next one is asked for, arrive as they came",
    transports: STREAMS,
    async run(stage: Stage) {
      const text = Array.from({ length: 40_000 }, (_, number) => `${number},`).join("");
      const call = await stage.call(`chunks ${text.length}`);
      call.say!(text);
      assert.equal(await call.done(), text);
      await stage.idle({ served: 1, refused: 0, errors: 0 });
    },
  },
  {
    name: "limits.bytes: a stream ends when more has come, and the plugin has had what may come",
    transports: STREAMS,
    limits: { bytes: { in: 8 } },
    async run(stage: Stage) {
      assert.equal(await stage.ask("echo ab"), "ab");
      const call = await stage.call("echo abc");
      await call.refused(503);
      const [first, second] = await stage.records("close", 2);
      assert.deepEqual([first!["reason"], first!["bytesIn"]], ["peer", 8]);
      assert.deepEqual([second!["reason"], second!["bytesIn"]], ["bytes", 8]);
      await stage.idle({ served: 2, refused: 0, errors: 0, bytesIn: 16 });
    },
  },
  {
    name: "limits.bytes: a larger datagram is refused",
    transports: DATAGRAMS,
    limits: { bytes: { in: 100 } },
    async run(stage: Stage) {
      assert.equal(await stage.ask("echo a"), "a");
      await stage.call("echo b", { padding: 100 });
      await stage.records("refuse", 1, { limit: "bytes" });
      await stage.idle({ served: 1, refused: 1, tallied: { bytes: 1 } });
    },
  },
  {
    name: "limits.bytes: a larger answer to a datagram is not sent",
    transports: DATAGRAMS,
    limits: { bytes: { out: 16 } },
    async run(stage: Stage) {
      assert.equal(await stage.ask("times 15"), "x".repeat(15));
      await unanswered(stage, "bytes");
    },
  },
  {
    name: "limits.amplification: no more is sent than so many times what has come",
    transports: ["udp"],
    limits: { amplification: 1.5 },
    async run(stage: Stage) {
      // 9 bytes with its end, and 13 are up to that.
      assert.equal(await stage.ask("times 12"), "x".repeat(12));
      await unanswered(stage, "amplification");
    },
  },
  {
    name: "limits.bytesPerSecond: what comes and goes takes its time, and comes whole",
    transports: STREAMS,
    limits: { bytesPerSecond: "100B burst 10B" },
    async run(stage: Stage) {
      const word = "x".repeat(25);
      const begin = performance.now();
      assert.equal(await stage.ask(`echo ${word}`), word);
      // 31 bytes in and 26 out, of which 10 each go at once.
      const took = performance.now() - begin;
      assert.ok(took >= 360, `${took} ms`);
      const [close] = await stage.records("close", 1);
      assert.deepEqual([close!["bytesIn"], close!["bytesOut"]], [31, 26]);
    },
  },
];
