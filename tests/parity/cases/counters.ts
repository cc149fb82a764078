/** The numbers of one conversation. */
import assert from "node:assert/strict";
import type { Case } from "../case.ts";
import type { Stage } from "../stage.ts";

/** Bytes of the lines that were said, with their ends. */
function size(...lines: readonly string[]): number {
  return lines.reduce((sum, line) => sum + line.length + 1, 0);
}

export const COUNTERS: readonly Case[] = [
  {
    name: "served, refused, errors, bytes and datagrams are counted once each",
    limits: { sessions: 2 },
    async run(stage: Stage) {
      const datagram = stage.kind === "datagram";
      const bytes = stage.kind !== "http";
      const said = ["echo one", "echo three", "hold a", "throw", "echo waits"];
      const refused = ["echo verify", "echo late"];
      const answers = ["one", "three", "a", "waits"];

      for (const line of said.slice(0, 2)) await stage.ask(line);
      await stage.idle();
      await (await stage.call("throw")).refused(500);
      await stage.idle({ errors: 1 });
      stage.mark("verify.refuses");
      await (await stage.call("echo verify")).refused(403);
      await stage.idle({ refused: 1 });
      stage.unmark("verify.refuses");
      const first = await stage.occupy("a");
      const second = await stage.call("echo waits");
      await stage.until({ live: 2, held: 1 });
      const late = await stage.call("echo late");
      await stage.until({ refused: 2 });
      await late.refused(503);
      stage.mark("a");
      assert.equal(await first.done(), "a");
      assert.equal(await second.done(), "waits");

      // A stream that is refused is not read; a datagram has come whole.
      const status = await stage.idle({
        served: 5,
        refused: 2,
        errors: 1,
        bytesIn: bytes ? size(...said) + (datagram ? size(...refused) : 0) : 0,
        bytesOut: bytes ? size(...answers) : 0,
        datagramsIn: datagram ? said.length + refused.length : 0,
        datagramsOut: datagram ? answers.length : 0,
        restarts: 0,
      });
      assert.deepEqual(status.tally.refused, { verify: 1, sessions: 1 });
      assert.deepEqual(status.tally.errors, { "HOOK_FAILED plugin": 1 });
      // Datagrams have no end that anybody waits for.
      assert.deepEqual(
        status.tally.ended,
        datagram ? {} : { [stage.kind === "http" ? "done" : "peer"]: 4, error: 1 },
      );
    },
  },
];
