/** What a plugin throws outside of its hooks ends nothing, whatever it is, and its record says whose it was. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { folder } from "../support/folder.ts";
import { ODD } from "../support/odd-values.ts";
import { dial } from "../support/peers.ts";
import { manifest, pluginPath, startServer } from "../support/server-process.ts";
import { lackingStrategy } from "../support/strategies.ts";

const TCP = "tcp://127.0.0.1:0";

for (const strategy of ["async", "threads", "processes", "spawn"] as const) {
  test(
    `${strategy}: ${
      Object.keys(ODD).length
    } odd values from timers, promises, microtasks and hooks, and in a log`,
    {
      skip: lackingStrategy(strategy),
    },
    async (t) => {
      const workers = strategy === "threads" || strategy === "processes" ? { workers: 1 } : {};
      const concurrency = { strategy, max: 1, ...workers };
      const home = folder(t, {
        "portico.json": manifest({
          bad: {
            plugin: pluginPath("outside"),
            listen: TCP,
            concurrency,
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
      bad.end();
      await server.record({ event: "close", service: "bad" });
      for (const what of Object.keys(ODD)) {
        // With one turn: who does not give it back lets nobody in any more.
        const peer = await dial(t, server.endpoint("bad", "tcp"));
        peer.send(`log: ${what}\n`);
        await peer.hears(`log: ${what}\n`);
        peer.send(`hook: ${what}\n`);
        await peer.over();
        peer.end();
        const errors = await server.count(++count, { event: "error" });
        assert.deepEqual([errors.at(-1)!["code"], errors.at(-1)!.service], ["HOOK_FAILED", "bad"]);
      }
      const odd = await server.count(Object.keys(ODD).length, { event: "log" });
      for (const record of odd) {
        assert.ok(JSON.stringify(record).length < 40_000, "its length is bounded");
      }
      assert.deepEqual(
        server.all({ event: "worker", action: "exited" }).filter(({ reason }) => reason !== "done")
          .map(({ reason }) => reason),
        [],
      );
      good.end();
      await server.stop();
    },
  );
}

for (const strategy of ["serial", "async"] as const) {
  for (const form of ["json", "text"] as const) {
    test(`${strategy}: a plugin that ends the process leaves a stop record, in a ${form} file`, async (t) => {
      const log = { type: "file", path: "./log", format: form };
      const home = folder(t, {
        "portico.json": manifest({
          bad: {
            plugin: pluginPath("outside"),
            listen: TCP,
            concurrency: { strategy },
            log: ["json", log],
          },
          good: { plugin: "echo", listen: TCP, log: ["json"] },
        }),
      });
      const server = await startServer(t, home);
      const bad = await dial(t, server.endpoint("bad", "tcp"));
      bad.send("exit: 3\n");
      assert.equal(await server.ended(), 3);
      const stop = await server.record({ event: "stop" });
      const { level, service, reason, exit } = stop;
      assert.deepEqual({ level, service, reason, exit }, {
        level: "error",
        service: "bad",
        reason: "exit",
        exit: 3,
      });
      assert.match(String(stop["at"]), /\/outside\.ts:\d+:\d+$/);
      const last = readFileSync(join(home, "log"), "utf8").trimEnd().split("\n").at(-1)!;
      assert.match(last, form === "json" ? /"event":"stop".*"reason":"exit"/ : /stop reason=exit/);
    });
  }
}
