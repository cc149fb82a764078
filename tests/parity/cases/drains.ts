/** A drain of one service: whoever has come has its time, served or waiting. */
import assert from "node:assert/strict";
import type { Case } from "../case.ts";
import type { Stage } from "../stage.ts";

/** One is served, two wait. */
async function crowd(stage: Stage) {
  const first = await stage.occupy("a");
  const second = await stage.call("echo b");
  await stage.until({ live: 2, held: 1 });
  const third = await stage.call("echo c");
  await stage.until({ live: 3, held: 2 });
  return [first, second, third] as const;
}

export const DRAINS: readonly Case[] = [
  {
    name: "ctl drain: who is served and who waits is answered; newcomers wait outside",
    async run(stage: Stage) {
      const calls = await crowd(stage);
      const drained = stage.control("drain");
      await stage.until({ state: "draining" });
      const newcomer = await stage.call("echo new");
      await stage.until({ state: "draining", live: 3, held: 2, refused: 0 });
      stage.mark("a");
      const answers = [];
      for (const call of calls) answers.push(await call.done());
      assert.deepEqual(answers, ["a", "b", "c"]);
      assert.deepEqual(await drained, [stage.name]);
      await stage.idle({ state: "suspended", served: 3, refused: 0 });
      assert.ok(!newcomer.answered);
      await stage.control("resume");
      assert.equal(await newcomer.done(), "new");
      await stage.idle({ state: "running", served: 4, refused: 0 });
    },
  },
  {
    name: "ctl drain: when its time is over, who waits is refused and who is served is cut",
    limits: { drain: "300ms" },
    async run(stage: Stage) {
      const calls = await crowd(stage);
      const began = performance.now();
      await stage.control("drain");
      const took = performance.now() - began;
      assert.ok(took > 250, `the drain took ${took} ms`);
      await stage.records("refuse", 2, { limit: "drain" });
      const [close] = await stage.records("close", 1);
      assert.equal(close!["reason"], "drain");
      for (const call of calls) await call.refused(503);
      await stage.idle({
        state: "suspended",
        served: 1,
        refused: 2,
        tallied: { drain: 2 },
      });
      await stage.traces("told", 1);
      await stage.control("resume");
      assert.equal(await stage.ask("echo d"), "d");
    },
  },
  {
    name: "ctl drain with no time at all: who waits is refused at once",
    limits: { drain: "0s" },
    async run(stage: Stage) {
      const calls = await crowd(stage);
      await stage.control("drain");
      await stage.records("refuse", 2, { limit: "drain" });
      await stage.records("close", 1, { reason: "drain" });
      for (const call of calls) await call.refused(503);
      await stage.idle({ state: "suspended", served: 1, refused: 2 });
    },
  },
  {
    name: "ctl suspend lets those go on who have come; newcomers wait outside",
    async run(stage: Stage) {
      const calls = await crowd(stage);
      await stage.control("suspend");
      const newcomer = await stage.call("echo new");
      await stage.until({ state: "suspended", live: 3, held: 2 });
      stage.mark("a");
      const answers = [];
      for (const call of calls) answers.push(await call.done());
      assert.deepEqual(answers, ["a", "b", "c"]);
      await stage.idle({ state: "suspended", served: 3, refused: 0 });
      assert.ok(!newcomer.answered);
      await stage.control("resume");
      assert.equal(await newcomer.done(), "new");
      await stage.idle({ state: "running", served: 4, refused: 0 });
    },
  },
];
