/** A drain that is called off: nothing of it is left. */
import assert from "node:assert/strict";
import type { Case } from "../case.ts";
import type { Stage } from "../stage.ts";
import { within } from "../support.ts";

/** How long a drain has, in ms: it is called off before, on a machine that is busy, too. */
const TIME = 1500;

/** Time itself is what matters here. */
const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** A drain that is resumed while one is served and one waits. */
async function resumed(stage: Stage) {
  const calls = [await stage.occupy("a"), await stage.call("echo b")] as const;
  await stage.until({ live: 2, held: 1 });
  const began = performance.now();
  const drained = stage.control("drain");
  await stage.until({ state: "draining" });
  await stage.control("resume");
  await stage.until({ state: "running" });
  return { calls, began, drained };
}

export const RESUMES: readonly Case[] = [
  {
    name: "ctl resume ends a drain: it is answered at once, and newcomers are served",
    async run(stage: Stage) {
      const { calls, drained } = await resumed(stage);
      await within("the answer to the drain", drained, 8000);
      const newcomer = await stage.call("echo new");
      await stage.until({ state: "running", live: 3, held: 2 });
      stage.mark("a");
      assert.equal(await calls[0].done(), "a");
      assert.equal(await calls[1].done(), "b");
      assert.equal(await newcomer.done(), "new");
      await stage.idle({ state: "running", served: 3, refused: 0 });
    },
  },
  {
    name: "nobody is cut by the clock of a drain that was called off",
    limits: { drain: `${TIME}ms` },
    async run(stage: Stage) {
      const { calls, began } = await resumed(stage);
      await pause(began + TIME + 300 - performance.now());
      await stage.until({ state: "running", live: 2, held: 1, refused: 0 });
      assert.equal(stage.traced("told"), 0, "the handler was not told to end");
      stage.mark("a");
      assert.equal(await calls[0].done(), "a");
      assert.equal(await calls[1].done(), "b");
      await stage.idle({ served: 2, refused: 0 });
    },
  },
  {
    name: "a second drain has all of its own time",
    limits: { drain: `${TIME}ms` },
    async run(stage: Stage) {
      const { calls, began } = await resumed(stage);
      await pause(began + TIME / 2 - performance.now());
      const again = performance.now();
      await stage.control("drain");
      const took = performance.now() - again;
      assert.ok(took > TIME - 50, `it took ${took} ms`);
      await stage.records("close", 1, { reason: "drain" });
      await stage.records("refuse", 1, { limit: "drain" });
      for (const call of calls) await call.refused(503);
      await stage.idle({ state: "suspended" });
    },
  },
];
