/** `spawn` with many peers at once: what it costs the supervisor while they wait for their processes. */
import assert from "node:assert/strict";
import { availableParallelism } from "node:os";
import { describe, test } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { folder } from "../support/folder.ts";
import { dial } from "../support/peers.ts";
import { limitDescriptors, manifest, pluginPath, startServer } from "../support/server-process.ts";
import { lackingPrograms } from "../support/packages.ts";
import { lackingStrategy } from "../support/strategies.ts";
import { until } from "../support/until.ts";

const COUNT = 60;
const one = {
  plugin: pluginPath("remote"),
  listen: "tcp://127.0.0.1:0",
  concurrency: "spawn",
};

describe("spawn", { skip: lackingStrategy("spawn") || lackingPrograms("sh") }, () => {
  test("of many that come at once, few have their process started at a time", async (t) => {
    const home = folder(t, { "portico.json": manifest({ one }) });
    // Enough for the peers, and for some processes, not for a process for each at once.
    const server = await startServer(t, home, { through: limitDescriptors(COUNT + 90) });
    const address = server.endpoint("one", "tcp");
    const sessions = Array.from({ length: COUNT }, async () => {
      const peer = await dial(t, address);
      await peer.when("its name", () => peer.text.endsWith("\n"), 60_000);
      peer.end();
    });
    await Promise.all(sessions);
    await server.count(COUNT, "close");
    let [started, opened, most] = [0, 0, 0];
    for (const { event, action } of server.records) {
      if (event === "open") opened++;
      if (event === "worker" && action === "started") started++;
      most = Math.max(most, started - opened);
    }
    assert.ok(most <= 6 * availableParallelism() + 12, `${most} processes had no session yet`);
    assert.deepEqual(server.all("error"), []);
    await server.stop();
  });

  test("where no further process can be started, that is told once and tried in peace", async (t) => {
    const home = folder(t, { "portico.json": manifest({ one }) });
    const server = await startServer(t, home, { through: limitDescriptors(COUNT + 60) });
    const address = server.endpoint("one", "tcp");
    // They stay, with all the descriptors that there are.
    const peers = await Promise.all(Array.from({ length: COUNT }, () => dial(t, address)));
    const told = (): number =>
      server.all("error").length + server.all({ event: "worker", level: "warn" }).length;
    await until("a record that tells of it", () => told() >= 1, 60_000);
    // It tries on meanwhile.
    await pause(3000);
    assert.ok(told() < 30, `${told()} records tell of it`);
    const served = peers.filter(({ text }) => text !== "").length;
    assert.ok(served > 10 && served < COUNT, `${served} are served`);
    for (const peer of peers) peer.leave();
    const last = await dial(t, address);
    await last.when("its name", () => last.text.endsWith("\n"));
    last.leave();
    await server.stop();
  });
});
