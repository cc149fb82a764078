/** What a plugin throws outside of its hooks ends nothing, whatever it is, and its record says whose it was. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { folder } from "../support/folder.ts";
import { ODD } from "../support/odd-values.ts";
import { dial } from "../support/peers.ts";
import { manifest, pluginPath, startServer } from "../support/server-process.ts";
import { lackingStrategy } from "../support/strategies.ts";

const TCP = "tcp://127.0.0.1:0";

for (const strategy of ["async", "threads", "processes", "spawn"] as const) {
  test(`${strategy}: ${Object.keys(ODD).length} odd values from timers, promises and microtasks`, {
    skip: lackingStrategy(strategy),
  }, async (t) => {
    const workers = strategy === "threads" || strategy === "processes" ? { workers: 1 } : {};
    const home = folder(t, {
      "portico.json": manifest({
        bad: {
          plugin: pluginPath("outside"),
          listen: TCP,
          concurrency: { strategy, ...workers },
        },
        good: { plugin: "echo", listen: TCP },
      }),
    });
    const server = await startServer(t, home);
    const bad = await dial(t, server.endpoint("bad", "tcp"));
    let count = 0;
    for (const way of ["timer", "promise", "microtask"]) {
      for (const what of Object.keys(ODD)) {
        bad.send(`${way}: ${what}\n`);
        await bad.hears(`${way}: ${what}\n`);
        const errors = await server.count(++count, { event: "error" });
        const error = errors.at(-1)!;
        assert.equal(error["code"], "HOOK_FAILED", `${way} ${what}`);
        assert.ok(JSON.stringify(error).length < 40_000, "its length is bounded");
        // What has no stack could be anybody's who is served in that process.
        const known = strategy !== "async" || error["at"] !== undefined;
        if (known) assert.equal(error.service, "bad", `${way} ${what}`);
        // Bun's engine leaves out a function whose last act is a call.
        const at = /\/(odd-values|outside)\.ts:\d+:\d+$/;
        if (what === "an error") assert.match(String(error["at"]), at);
      }
    }
    const good = await dial(t, server.endpoint("good", "tcp"));
    good.send("hello");
    await good.hears("hello");
    good.end();
    bad.end();
    await server.stop();
  });
}
