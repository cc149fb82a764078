/** The folder that a server was started in is removed, and there is another one of its name. */
import assert from "node:assert/strict";
import { mkdirSync, readlinkSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { lackingFeature } from "../support/adapter.ts";
import { folder } from "../support/folder.ts";
import { ManagedServer, TCP, versioned } from "../support/managed-server.ts";
import { askOnce, dial } from "../support/peers.ts";
import { ask } from "../support/probe.ts";
import { gone, sendSignal } from "../support/proc.ts";
import { pluginPath } from "../support/server-process.ts";
import { lackingStrategy } from "../support/strategies.ts";

for (const strategy of ["async", "threads", "processes", "spawn"] as const) {
  for (const again of [false, true]) {
    const what = again ? "removed, and made anew" : "removed";
    test(`${strategy}: the folder of the start is ${what}`, {
      skip: lackingStrategy(strategy),
    }, async (t) => {
      const started = join(folder(t, {}), "here");
      mkdirSync(started);
      const concurrency = strategy === "spawn" ? { strategy, max: 2 } : { strategy, workers: 1 };
      const one = { concurrency: strategy === "async" ? strategy : concurrency };
      const exec = {
        plugin: "exec",
        listen: TCP,
        options: { command: ["cat"] },
        concurrency: "async",
      };
      const services = (version: number) => ({
        one: versioned(TCP, version, one),
        dies: {
          plugin: pluginPath("probe"),
          listen: TCP,
          options: { form: "commands" },
          ...one,
        },
        ...(lackingFeature("descriptors") === false && { exec }),
      });
      const managed = ManagedServer.prepare(t, services(1));
      await managed.startAs({ cwd: started }, "../../" + managed.home.split("/").at(-1));
      rmSync(started, { recursive: true });
      if (again) mkdirSync(started);
      // More than were started ahead.
      for (let i = 0; i < 5; i++) {
        assert.equal(await managed.version(await managed.endpoint("one", "tcp")), "1");
      }
      if (strategy === "processes" || strategy === "spawn") {
        const peer = await dial(t, await managed.endpoint("dies", "tcp"));
        sendSignal(Number((await ask(peer, "who")).split(".")[0]), "SIGKILL");
        await peer.over();
        const next = await dial(t, await managed.endpoint("dies", "tcp"));
        assert.equal(await ask(next, "echo again"), "again");
        next.end();
      }
      if ("exec" in services(1)) {
        const endpoint = await managed.endpoint("exec", "tcp");
        assert.equal(await askOnce(t, endpoint, "hello"), "hello");
      }
      managed.write(services(2));
      assert.deepEqual((await managed.reload()).changed, ["one"]);
      assert.equal(await managed.version(await managed.endpoint("one", "tcp")), "2");
      assert.equal(readlinkSync(`/proc/${managed.process.pid}/cwd`), managed.home);
      if (lackingFeature("descriptors") !== false) return;
      managed.write(services(3));
      const successor = await managed.upgrade();
      assert.equal(await managed.process.exited(), 0);
      assert.equal(await managed.version(await managed.endpoint("one", "tcp")), "3");
      sendSignal(successor, "SIGTERM");
      await gone([successor]);
    });
  }
}

test("as long as it is there, a server stays in the folder that it was started in", async (t) => {
  const started = folder(t, {});
  const managed = ManagedServer.prepare(t, { one: versioned(TCP, 1) });
  await managed.startAs({ cwd: started });
  writeFileSync(join(managed.home, "other"), "");
  await managed.reload();
  assert.equal(readlinkSync(`/proc/${managed.process.pid}/cwd`), started);
});
