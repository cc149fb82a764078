/** What a session is told before it has to end, and how it may be given less time than the service gives. */
import assert from "node:assert/strict";
import { type Case, STREAMS } from "../case.ts";
import type { Stage } from "../stage.ts";

export const RETIRES: readonly Case[] = [
  {
    name: "retire: who has nothing to do says goodbye when a drain begins, and the drain is over",
    transports: STREAMS,
    limits: { drain: "60s" },
    async run(stage: Stage) {
      stage.mark("retire.ends");
      const idle = await stage.call("");
      await stage.until({ live: 1, served: 1 });
      const drained = stage.control("drain");
      assert.equal(await idle.done(), "goodbye");
      assert.deepEqual(await drained, [stage.name]);
      await stage.traces("retire", 1);
      const [close] = await stage.records("close", 1);
      assert.notEqual(close!["reason"], "drain");
      await stage.idle({ state: "suspended", served: 1 });
      stage.unmark("retire.ends");
      await stage.control("resume");
      assert.equal(await stage.ask("echo again"), "again");
      await stage.traces("retire", 1);
    },
  },
  {
    name:
      "retire: who has its turn while the service drains is told as well; once resumed nobody is",
    transports: STREAMS,
    limits: { drain: "60s" },
    async run(stage: Stage) {
      const first = await stage.occupy("a");
      const second = await stage.call("hold b");
      await stage.until({ live: 2, held: 1 });
      const drained = stage.control("drain");
      await stage.traces("retire", 1);
      stage.mark("a");
      assert.equal(await first.done(), "a");
      await stage.traces("retire", 2);
      await stage.holds("b");
      stage.mark("b");
      assert.equal(await second.done(), "b");
      await drained;
      await stage.control("resume");
      assert.equal(await stage.ask("echo c"), "c");
      await stage.traces("retire", 2);
    },
  },
  {
    name: "deadline: a session that gives itself less time is closed for it, and knows why",
    transports: STREAMS,
    async run(stage: Stage) {
      const call = await stage.call("deadline 100ms");
      assert.equal(await call.answer(), "100ms");
      const [close] = await stage.records("close", 1);
      assert.equal(close!["reason"], "deadline");
      await stage.traces("closed deadline", 1);
      await stage.idle({ served: 1 });
    },
  },
];
