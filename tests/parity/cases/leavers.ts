/** Who goes before it is served: nothing of it stays. */
import assert from "node:assert/strict";
import { type Case, STREAMS } from "../case.ts";
import type { Stage } from "../stage.ts";

export const LEAVERS: readonly Case[] = [
  {
    name: "the end of a session: its peer resets it while verify is asked",
    transports: ["tcp"],
    limits: { sessions: 2 },
    async run(stage: Stage) {
      stage.mark("verify.waits");
      const call = await stage.call("echo x");
      await stage.traces("verify", 1);
      call.leave(true);
      stage.mark("verify.goes");
      // A runtime may hear of a reset only when it reads; then it was open, and is closed.
      const { served } = await stage.idle({ refused: 0, errors: 0 });
      await stage.records("open", served);
      await stage.records("close", served);
      stage.unmark("verify.waits");
      await stage.refill(2);
    },
  },
  {
    name: "who waits and goes away keeps neither place nor turn from who stays",
    transports: [...STREAMS, "http"],
    limits: { sessions: 3 },
    async run(stage: Stage) {
      const first = await stage.occupy("a");
      const second = await stage.call("echo b");
      await stage.until({ live: 2, held: 1 });
      const third = await stage.call("echo c");
      await stage.until({ live: 3, held: 2 });
      second.leave();
      stage.mark("a");
      assert.equal(await first.done(), "a");
      assert.equal(await third.done(), "c");
      await stage.idle({ refused: 0, errors: 0 });
      await stage.refill(3);
    },
  },
  {
    name: "who waits and resets its connection is taken out before its turn",
    transports: ["tcp"],
    needs: "resets",
    limits: { sessions: 2 },
    async run(stage: Stage) {
      const first = await stage.occupy("a");
      const second = await stage.call("echo b");
      await stage.until({ live: 2, held: 1 });
      second.leave(true);
      await stage.until({ live: 1, held: 0 });
      const third = await stage.call("echo c");
      await stage.until({ live: 2, held: 1 });
      stage.mark("a");
      assert.equal(await first.done(), "a");
      assert.equal(await third.done(), "c");
      await stage.idle({ refused: 0, errors: 0 });
      await stage.refill(2);
    },
  },
];
