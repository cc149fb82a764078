/** Address rules → limits → turn → verify → setup: nobody has work done for them before it is due. */
import assert from "node:assert/strict";
import { ADDRESSED, type Case } from "../case.ts";
import type { Stage } from "../stage.ts";

export const ORDER: readonly Case[] = [
  {
    name: "verify is asked when the turn has come, not before",
    async run(stage: Stage) {
      const first = await stage.occupy("a");
      await stage.traces("verify", 1);
      const second = await stage.call("echo b");
      await stage.until({ live: 2, held: 1 });
      await stage.traces("verify", 1);
      stage.mark("a");
      assert.equal(await first.done(), "a");
      assert.equal(await second.done(), "b");
      await stage.traces("verify", 2);
      await stage.idle({ served: 2, refused: 0 });
    },
  },
  {
    name: "verify is not asked for whom a limit refuses",
    limits: { sessions: 1 },
    async run(stage: Stage) {
      const first = await stage.occupy("a");
      const second = await stage.call("echo b");
      await stage.records("refuse", 1, { limit: "sessions" });
      await second.refused(503);
      await stage.traces("verify", 1);
      stage.mark("a");
      assert.equal(await first.done(), "a");
      await stage.idle({ served: 1, refused: 1 });
    },
  },
  {
    name: "rules by address come before limits, and cost no place, rate or verify",
    transports: ADDRESSED,
    needs: "addresses",
    limits: { sessions: 1, rate: "2/h" },
    access: { deny: ["127.0.0.2"] },
    async run(stage: Stage) {
      const from = "127.0.0.2";
      const first = await stage.occupy("a");
      // There is no room: that it is denied is said all the same.
      const denied = await stage.call("echo b", { from });
      await stage.records("refuse", 1, { rule: "deny 127.0.0.2" });
      await denied.refused(403);
      stage.mark("a");
      assert.equal(await first.done(), "a");
      await stage.idle();
      await (await stage.call("echo c", { from })).refused(403);
      await stage.records("refuse", 2, { rule: "deny 127.0.0.2" });
      assert.equal(await stage.ask("echo d"), "d");
      await stage.traces("verify", 2);
      await stage.idle({ served: 2, refused: 2 });
    },
  },
  {
    name: "whoever is being verified has the turn, and others wait",
    limits: { sessions: 2 },
    async run(stage: Stage) {
      stage.mark("verify.waits");
      const first = await stage.call("echo a");
      await stage.traces("verify", 1);
      const second = await stage.call("echo b");
      await stage.until({ live: 2, held: 1 });
      await stage.traces("verify", 1);
      const third = await stage.call("echo c");
      await stage.records("refuse", 1, { limit: "sessions" });
      await third.refused(503);
      assert.equal(stage.all({ event: "open" }).length, 0, "nobody is served yet");
      stage.mark("verify.goes");
      assert.equal(await first.done(), "a");
      assert.equal(await second.done(), "b");
      await stage.idle({ served: 2, refused: 1 });
    },
  },
];
