/** `limits.hold`: the clock refuses who waits too long, also while the turn is taken. */
import assert from "node:assert/strict";
import type { Case } from "../case.ts";
import type { Stage } from "../stage.ts";

export const HOLDS: readonly Case[] = [
  {
    name: "who waits is refused when limits.hold is over, while the turn is still taken",
    limits: { hold: "600ms" },
    async run(stage: Stage) {
      const first = await stage.occupy("a");
      const began = performance.now();
      const calls = [await stage.call("echo b"), await stage.call("echo c")];
      await stage.records("refuse", 2, { limit: "hold" });
      const waited = performance.now() - began;
      assert.ok(waited > 500, `it has waited for ${waited} ms`);
      for (const call of calls) await call.refused(503);
      await stage.until({ live: 1, held: 0, refused: 2, tallied: { hold: 2 } });
      assert.ok(!first.answered, "the first one still has the turn");
      await stage.traces("verify", 1);
      stage.mark("a");
      assert.equal(await first.done(), "a");
      assert.equal(await stage.ask("echo d"), "d");
      await stage.idle({ served: 2, refused: 2 });
      await stage.records("open", 2);
    },
  },
];
