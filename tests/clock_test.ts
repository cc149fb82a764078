/** The clock of an adapter that has a quicker way to the time than `performance.now()`. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { serve } from "../runtime/embed/mod.ts";
import { adapter } from "./support/adapter.ts";

test("the time of an adapter is that of performance.now(), before HTTP is served and after", async (t) => {
  // Where it has none, its server takes the runtime's.
  const now = adapter.now ?? (() => performance.now());
  let last = performance.now();
  const look = (): void => {
    for (let count = 0; count < 1000; count++) {
      const time = now();
      // Both are of the same clock, whose parts of a microsecond may be rounded.
      assert.ok(time >= last - 0.002, `${time} after ${last}`);
      last = time;
      const other = performance.now();
      assert.ok(other - time < 60_000, `${other} and ${time}`);
    }
  };
  look();
  const server = await serve({
    control: false,
    services: {
      web: {
        plugin: { fetch: () => new Response(String(now())) },
        listen: "http://127.0.0.1:0",
        log: "none",
      },
    },
  });
  t.after(() => server.stop());
  look();
  const before = performance.now();
  const answer = await fetch(`http://127.0.0.1:${server.address("web").port}/`);
  const within = Number(await answer.text());
  assert.ok(within >= before - 1, `${within} after ${before}`);
  look();
});
