/** A reload while sessions are served and wait. */
import assert from "node:assert/strict";
import type { Case } from "../case.ts";
import type { Stage } from "../stage.ts";

export const RELOADS: readonly Case[] = [
  {
    name: "a reload that changes the service loses nobody, and limits hold over both",
    limits: { sessions: 3 },
    async run(stage: Stage) {
      const first = await stage.occupy("a");
      const second = await stage.call("echo b");
      await stage.until({ live: 2, held: 1 });
      const version = await stage.change();
      const third = await stage.call("version");
      await stage.until({ state: "running", live: 3, held: 2 });
      const fourth = await stage.call("echo d");
      await stage.records("refuse", 1, { limit: "sessions" });
      await fourth.refused(503);
      stage.mark("a");
      assert.equal(await first.done(), "a");
      assert.equal(await second.done(), "b");
      assert.equal(await third.done(), version);
      await stage.idle({ served: 3, refused: 1 });
      await stage.refill(3);
    },
  },
  {
    name: "a reload that changes nothing is noticed by nobody",
    async run(stage: Stage) {
      const first = await stage.occupy("a");
      const second = await stage.call("version");
      await stage.until({ live: 2, held: 1 });
      await stage.reload();
      await stage.until({ state: "running", live: 2, held: 1 });
      stage.mark("a");
      assert.equal(await first.done(), "a");
      assert.equal(await second.done(), "1");
      await stage.idle({ served: 2, refused: 0 });
    },
  },
];
