/** What waits is bounded, in number and in bytes: the same things are counted everywhere. */
import assert from "node:assert/strict";
import type { Call } from "../calls.ts";
import { type Case, DATAGRAMS, STREAMS } from "../case.ts";
import type { Stage } from "../stage.ts";

/** As large as the padding of one datagram, in bytes. */
const LARGE = 60_000;
/** Of datagrams that wait, all together. */
const MOST = 32 * 1024 * 1024;
/** What one of them weighs beside what it carries. */
const WEIGHT = 512;
/** So many are sent at once: more than that a queue of the kernel may not hold. */
const BATCH = 3;

export const BOUNDS: readonly Case[] = [
  {
    name: "limits.sessions counts those that are served and those that wait",
    limits: { sessions: 3 },
    async run(stage: Stage) {
      await stage.refill(3);
      await stage.refill(3);
      await stage.idle({ served: 6, refused: 2, tallied: { sessions: 2 } });
    },
  },
  {
    name: "overflow hold: who finds no room waits for it, unasked by verify",
    transports: [...STREAMS, "http"],
    limits: { sessions: 1, overflow: "hold" },
    async run(stage: Stage) {
      const first = await stage.occupy("a");
      const second = await stage.call("echo b");
      await stage.until({ live: 2, held: 1 });
      const third = await stage.call("echo c");
      await stage.until({ live: 3, held: 2 });
      await stage.traces("verify", 1);
      stage.mark("a");
      assert.equal(await first.done(), "a");
      assert.equal(await second.done(), "b");
      assert.equal(await third.done(), "c");
      await stage.idle({ served: 3, refused: 0 });
    },
  },
  {
    name: "overflow hold: who finds no room is refused when limits.hold is over",
    transports: [...STREAMS, "http"],
    limits: { sessions: 1, overflow: "hold", hold: "250ms" },
    async run(stage: Stage) {
      const first = await stage.occupy("a");
      const second = await stage.call("echo b");
      await stage.records("refuse", 1, { limit: "hold" });
      await second.refused(503);
      await stage.until({ live: 1, held: 0, refused: 1 });
      stage.mark("a");
      assert.equal(await first.done(), "a");
      assert.equal(await stage.ask("echo c"), "c");
      await stage.idle({ served: 2, refused: 1 });
    },
  },
  {
    name: "those that wait are served in the order in which they came",
    async run(stage: Stage) {
      const first = await stage.occupy("a");
      const calls: Call[] = [];
      for (const name of ["b", "c", "d"]) {
        calls.push(await stage.call(`hold ${name}`));
        await stage.until({ live: calls.length + 1, held: calls.length });
      }
      stage.mark("a");
      assert.equal(await first.done(), "a");
      for (const [at, name] of ["b", "c", "d"].entries()) {
        await stage.records("open", at + 2);
        await stage.until({ live: 3 - at, held: 2 - at });
        const { name: remote } = calls[at]!;
        const open = stage.all({ event: "open" }).at(-1)!;
        if (typeof remote === "string") assert.equal(open["remote"], remote);
        stage.mark(name);
        assert.equal(await calls[at]!.done(), name);
      }
      await stage.idle({ served: 4, refused: 0 });
    },
  },
  {
    name: "32 MiB of datagrams wait, and not one more; what is served does not count",
    transports: DATAGRAMS,
    limits: { drain: "0s" },
    async run(stage: Stage) {
      await stage.occupy("a", { padding: LARGE });
      const text = `echo b\n${" ".repeat(LARGE)}`;
      const most = Math.floor(MOST / (WEIGHT + text.length));
      const sender = await stage.call("echo b", { padding: LARGE });
      await stage.until({ live: 2, held: 1 });
      for (let held = 1; held < most;) {
        for (let sent = 0; sent < BATCH && held < most; sent++, held++) sender.say!(text);
        await stage.until({ live: held + 1, held });
      }
      sender.say!(text);
      await stage.records("refuse", 1, { limit: "waiting" });
      await stage.until({ live: most + 1, held: most, datagramsIn: most + 2, refused: 1 });
      await stage.control("drain");
      await stage.idle({ served: 1, tallied: { waiting: 1, drain: most } });
    },
  },
];
