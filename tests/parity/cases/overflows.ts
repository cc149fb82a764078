/** What becomes of newcomers at a limit: the same word means the same everywhere. */
import assert from "node:assert/strict";
import { type Case, DATAGRAMS, STREAMS } from "../case.ts";
import type { Stage } from "../stage.ts";
import { adapter, hasWorkers } from "../support.ts";

export const OVERFLOWS: readonly Case[] = [
  {
    name: "overflow wait of a rate: who comes too often waits for its token, in order",
    transports: [...STREAMS, "http"],
    limits: { rate: "5/s burst 1", overflow: { rate: "wait" } },
    async run(stage: Stage) {
      const began = performance.now();
      const calls = [];
      for (const word of ["a", "b", "c", "d"]) calls.push(await stage.call(`echo ${word}`));
      const answers = [];
      for (const call of calls) answers.push(await call.done());
      assert.deepEqual(answers, ["a", "b", "c", "d"]);
      const took = performance.now() - began;
      assert.ok(took > 590, `three tokens are there after 600 ms, and it took ${took}`);
      await stage.idle({ served: 4, refused: 0 });
    },
  },
  {
    name: "overflow wait of a rate: who leaves while it waits takes no token",
    transports: ["tcp"],
    limits: { rate: "2/s burst 1", overflow: { rate: "wait" } },
    needs: "resets",
    async run(stage: Stage) {
      assert.equal(await stage.ask("echo a"), "a");
      const gone = await stage.call("");
      await stage.until({ held: 1 });
      const next = await stage.call("echo c");
      await stage.until({ held: 2 });
      gone.leave(true);
      assert.equal(await next.done(), "c");
    },
  },
  {
    name: "overflow reset: who is too many is reset, at a count and at a rate",
    transports: STREAMS,
    limits: { sessions: 1, overflow: "reset" },
    async run(stage: Stage) {
      const first = await stage.occupy("a");
      const second = await stage.call("echo b");
      // Not every runtime can reset a connection of its own; sockets on their way to a worker all do.
      const resets = adapter.features.resets === true || hasWorkers(stage.house.strategy);
      if (resets) await second.wasReset();
      else await second.refused(503);
      await stage.records("refuse", 1, { limit: "sessions", level: "warn" });
      await stage.until({ live: 1, refused: 1, tallied: { sessions: 1 } });
      stage.mark("a");
      assert.equal(await first.done(), "a");
      await stage.idle();
      assert.equal(await stage.ask("echo c"), "c");
      await stage.idle({ served: 2, refused: 1 });
    },
  },
  {
    name:
      "overflow reset: who has waited in vain is closed in order, since that is no limit of its word",
    transports: STREAMS,
    limits: { sessions: 2, hold: "100ms", overflow: "reset" },
    async run(stage: Stage) {
      const first = await stage.occupy("a");
      const second = await stage.call("echo b");
      await stage.records("refuse", 1, { limit: "hold" });
      await second.refused(503);
      stage.mark("a");
      assert.equal(await first.done(), "a");
    },
  },
  {
    name: "overflow shed: who has been idle longest ends, and the newcomer is let in",
    transports: STREAMS,
    limits: { sessions: 2, overflow: "shed" },
    async run(stage: Stage) {
      const first = await stage.occupy("a");
      const second = await stage.call("echo b");
      await stage.until({ live: 2, held: 1 });
      // One that is served can go, and not who waits for its turn.
      const third = await stage.call("echo c");
      await first.refused(503);
      assert.equal(await second.done(), "b");
      assert.equal(await third.done(), "c");
      const closes = await stage.records("close", 3);
      assert.deepEqual(closes.map(({ reason }) => reason), ["shed", "peer", "peer"]);
      await stage.idle({ served: 3, refused: 0 });
    },
  },
  {
    name: "overflow shed: where nobody is served who could go, newcomers are refused",
    transports: STREAMS,
    limits: { sessions: 1, overflow: "shed" },
    async run(stage: Stage) {
      stage.mark("verify.waits");
      const first = await stage.call("echo a");
      await stage.traces("verify", 1);
      const second = await stage.call("echo b");
      await stage.records("refuse", 1, { limit: "sessions" });
      await second.refused(503);
      stage.mark("verify.goes");
      assert.equal(await first.done(), "a");
      await stage.idle({ served: 1, refused: 1 });
    },
  },
  {
    name: "overflow shed: at its own limit a source makes room for itself alone",
    transports: ["tcp"],
    needs: "addresses",
    limits: { perSource: 1, overflow: { perSource: "shed" } },
    async run(stage: Stage) {
      const first = await stage.occupy("a", { from: "127.0.0.2" });
      const other = await stage.call("echo other", { from: "127.0.0.3" });
      await stage.until({ live: 2, held: 1 });
      const second = await stage.call("echo b", { from: "127.0.0.2" });
      await first.refused(503);
      assert.equal(await other.done(), "other");
      assert.equal(await second.done(), "b");
      await stage.idle({ served: 3, refused: 0 });
    },
  },
  {
    name: "overflow drop: a datagram too many is not answered",
    transports: DATAGRAMS,
    limits: { sessions: 1, overflow: "drop" },
    async run(stage: Stage) {
      const first = await stage.occupy("a");
      const second = await stage.call("echo b");
      await stage.records("refuse", 1, { limit: "sessions" });
      await second.refused(0);
      stage.mark("a");
      assert.equal(await first.done(), "a");
    },
  },
  {
    name: "limits.waiting bounds who waits, for a turn",
    limits: { waiting: 2 },
    async run(stage: Stage) {
      const first = await stage.occupy("a");
      const waiting = [await stage.call("echo b"), await stage.call("echo c")];
      await stage.until({ live: 3, held: 2 });
      const late = await stage.call("echo d");
      await stage.records("refuse", 1, { limit: "waiting", level: "warn" });
      await late.refused(503);
      stage.mark("a");
      assert.equal(await first.done(), "a");
      for (const [at, call] of waiting.entries()) assert.equal(await call.done(), "bc"[at]);
      await stage.idle({ served: 3, refused: 1, tallied: { waiting: 1 } });
    },
  },
  {
    name: "limits.waiting bounds who waits for a place, by number and by memory",
    transports: [...STREAMS, "http"],
    limits: { sessions: 1, overflow: "wait", waiting: { sessions: 5, bytes: "4KiB" } },
    async run(stage: Stage) {
      const first = await stage.occupy("a");
      const waiting = [await stage.call("echo b"), await stage.call("echo c")];
      await stage.until({ live: 3, held: 2 });
      const late = await stage.call("echo d");
      await stage.records("refuse", 1, { limit: "waiting" });
      await late.refused(503);
      stage.mark("a");
      assert.equal(await first.done(), "a");
      for (const [at, call] of waiting.entries()) assert.equal(await call.done(), "bc"[at]);
      await stage.idle({ served: 3, refused: 1 });
    },
  },
  {
    name: "limits.rest: above its rate a service accepts nobody for a while, and then goes on",
    limits: { rate: "2/h burst 2", rest: "700ms" },
    async run(stage: Stage) {
      for (const word of ["a", "b"]) assert.equal(await stage.ask(`echo ${word}`), word);
      await stage.idle({ served: 2 });
      const late = await stage.call("echo c");
      await stage.records("refuse", 1, { limit: "rate" });
      await late.refused(429);
      const [rests] = await stage.records("suspend", 1, { level: "warn", reason: "rate" });
      assert.equal(rests!["forMs"], 700);
      const [goesOn] = await stage.records("resume", 1, { level: "warn", reason: "rate" });
      const rested = Date.parse(goesOn!.time as unknown as string) -
        Date.parse(rests!.time as unknown as string);
      assert.ok(rested >= 699, `it has rested for ${rested} ms`);
      await stage.until({ state: "running", refused: 1 });
    },
  },
  {
    name:
      "limits.rest: who comes meanwhile waits in the kernel's queue, and is served when it is over",
    transports: ["tcp", "unix", "udp", "unixgram"],
    limits: { rate: "30/m burst 1", rest: "2500ms" },
    async run(stage: Stage) {
      // The second is there before the next token is, however long the first takes.
      const [first, late] = [await stage.call("echo a"), await stage.call("echo b")];
      assert.equal(await first.done(), "a");
      await late.refused(429);
      // Its sockets are not read any more.
      await stage.records("suspend", 1, { reason: "rate" });
      const queued = await stage.call("echo c");
      assert.ok(!queued.answered);
      assert.equal(await queued.done(), "c");
      await stage.records("resume", 1, { reason: "rate" });
      await stage.idle({ served: 2, refused: 1, state: "running" });
    },
  },
  {
    name: "limits.rest: an operator ends it, by resume",
    limits: { rate: "2/h burst 1", rest: "1h" },
    async run(stage: Stage) {
      assert.equal(await stage.ask("echo a"), "a");
      await stage.idle();
      await (await stage.call("echo b")).refused(429);
      await stage.until({ state: "resting" });
      await stage.control("resume");
      await stage.until({ state: "running" });
      await (await stage.call("echo c")).refused(429);
      await stage.until({ state: "resting", refused: 2 });
      await stage.records("suspend", 2, { reason: "rate" });
    },
  },
  {
    name: "limits.load refuses while the machine has too much to do",
    // No machine has less than that while these run.
    limits: { load: 0.000_001 },
    async run(stage: Stage) {
      const call = await stage.call("echo a");
      await stage.records("refuse", 1, { limit: "load", level: "warn" });
      await call.refused(503);
      await stage.idle({ served: 0, refused: 1, tallied: { load: 1 } });
    },
  },
];
