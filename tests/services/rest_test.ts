/** What becomes of who waits in the kernel's queue while a service rests. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { SYSTEM_CLOCK } from "../../runtime/core/clock.ts";
import { Log } from "../../runtime/core/log.ts";
import { Rest } from "../../runtime/services/rest.ts";

test("a rest is over for newcomers before the sockets are read again, however early its timer is", async () => {
  const told: string[] = [];
  const { promise: over, resolve } = Promise.withResolvers<void>();
  const rest = new Rest(
    // Earlier than it was asked for.
    { ...SYSTEM_CLOCK, setTimeout: (callback) => SYSTEM_CLOCK.setTimeout(callback, 0) },
    new Log([], () => {}),
    "s",
    {
      suspend: () => Promise.resolve(void told.push("suspend")),
      resume: () => Promise.resolve(void told.push("resume")),
    },
    {
      become: (state) => {
        told.push(state);
        if (state === "running") resolve();
      },
      wake: () => void told.push("wake"),
      fail: (reason) => void told.push(reason),
      inTurn: async (change) => await change(),
    },
  );
  rest.begin(60_000);
  await over;
  assert.deepEqual(told, ["resting", "suspend", "wake", "resume", "running"]);
});
