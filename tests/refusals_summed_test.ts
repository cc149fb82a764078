/** Record for record: what was refused, as peers, records and counters have it, when records are summed up. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { startManifest } from "./support/in-process.ts";
import { dial } from "./support/peers.ts";
import { lackingStrategy, SAMPLE } from "./support/strategies.ts";
import { until } from "./support/until.ts";

const CLIENTS = 60;

for (const strategy of SAMPLE) {
  test(`refused, under ${strategy}`, { skip: lackingStrategy(strategy) }, async (t) => {
    const server = await startManifest(t, {
      echo: {
        plugin: "echo",
        listen: "tcp://127.0.0.1:0",
        concurrency: { strategy },
        limits: { sessions: 1, refuseRecords: "1/m burst 5" },
      },
    });
    const first = await dial(t, server.endpoint());
    await first.echo("x");
    const peers = await Promise.all(
      Array.from({ length: CLIENTS }, () => dial(t, server.endpoint())),
    );
    for (const peer of peers) await peer.over();
    await until("all refusals", () => server.status().refused === CLIENTS);
    assert.equal(server.all("refuse").length, 5);
    first.end();
    await server.running.stop();
    const records = server.all("refuse");
    assert.deepEqual(records.map(({ count }) => count), [...Array(5), CLIENTS - 5]);
    assert.ok(records.every(({ limit, level }) => limit === "sessions" && level === "warn"));
  });
}
