/** A worker that dies takes with it whom it served, and nobody else; every place is given back. */
import assert from "node:assert/strict";
import { type Case, SESSIONS } from "../case.ts";
import type { Stage } from "../stage.ts";
import { sendSignal } from "../../support/proc.ts";

/** One is served and one waits when `kill` brings the worker down. */
async function survives(stage: Stage, line: string, kill: () => Promise<void>): Promise<void> {
  const first = await stage.call(line);
  await stage.records("open", 1);
  const second = await stage.call("echo b");
  await stage.until({ live: 2, held: 1 });
  await kill();
  await first.refused(503);
  assert.equal(await second.done(), "b");
  await stage.idle({ served: 2, refused: 0 });
  const [open] = await stage.records("open", 2);
  const events = stage.all({ session: open!.session });
  assert.deepEqual(events.map(({ event }) => event), ["open", "close"]);
  assert.equal(events[1]!["reason"], "worker");
  await stage.refill(2);
}

export const CRASHES: readonly Case[] = [
  {
    name: "kill -9 of a worker costs whom it serves; who waits is served by the next one",
    transports: SESSIONS,
    needs: "processes",
    limits: { sessions: 2 },
    async run(stage: Stage) {
      await survives(stage, "hold a", async () => {
        const { workers } = await stage.status();
        sendSignal(workers.find(({ live }) => live > 0)!.pid, "SIGKILL");
      });
    },
  },
];
