/** Reloads and dying workers under load: no connection, no byte and no datagram is lost. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { Generator } from "../../bench/churn/client.ts";
import { askRepeatedly, ManagedServer, TCP, UDP, versioned } from "../support/managed-server.ts";
import { openDatagrams, openUdp } from "../support/peers.ts";
import { sendSignal } from "../support/proc.ts";

const LONG = { connections: 2, everyMs: 20 };
const SHORT = { concurrency: 4, rate: 150, bytes: 512 };

test("reloads under load lose no connection, no byte and no datagram", async (t) => {
  const services = (version: number) => {
    const limits = { drain: "60s" };
    return {
      plain: versioned([TCP, UDP], version, { limits }),
      threaded: versioned(["unix:./t", "unixgram:./td"], version, {
        limits,
        concurrency: { strategy: "threads", workers: 2 },
      }),
      forked: versioned([TCP, UDP], version, {
        limits,
        concurrency: { strategy: "processes", workers: 2 },
      }),
      wandering: versioned(TCP, 0, {
        limits,
        concurrency: version % 2 === 0 ? { strategy: "async" } : {
          strategy: "processes",
          workers: 1,
        },
      }),
      steady: versioned(TCP, 0, { concurrency: { strategy: "processes", workers: 1 } }),
    };
  };
  const managed = await ManagedServer.start(t, services(0));
  const generator = new Generator();
  t.after(() => generator.close());
  const streams = ["plain", "threaded", "forked", "wandering", "steady"];
  const endpoints = await Promise.all(
    streams.map((name) => managed.endpoint(name, name === "threaded" ? "unix" : "tcp")),
  );
  const loads = await Promise.all(
    endpoints.map((endpoint) => generator.short({ endpoint, ...SHORT })),
  );
  const stayers = await Promise.all(
    endpoints.map((endpoint) => generator.long({ endpoint, ...LONG })),
  );
  const askers = await Promise.all([
    askRepeatedly(await openUdp(t), await managed.endpoint("plain", "udp")),
    askRepeatedly(await openUdp(t), await managed.endpoint("forked", "udp")),
    askRepeatedly(await openDatagrams(t, "unixgram"), `unixgram:${join(managed.home, "td")}`),
  ]);
  const steady = (await managed.service("steady")).workers.map(({ pid }) => pid);
  for (let version = 1; version <= 4; version++) {
    const before = await Promise.all(loads.map((load) => load.report()));
    managed.write(services(version));
    const reloaded = await managed.reload();
    assert.deepEqual(reloaded.changed, ["plain", "threaded", "forked", "wandering"]);
    assert.deepEqual(reloaded.unchanged, ["steady"]);
    for (const [at, name] of streams.entries()) {
      if (name === "plain" || name === "threaded" || name === "forked") {
        assert.equal(await managed.version(endpoints[at]!), `${version}`, name);
      }
      await loads[at]!.reached(before[at]!.completed + 20);
    }
  }
  for (const [at, load] of loads.entries()) {
    const report = await load.stop();
    assert.deepEqual(
      [report.failed, report.missingBytes, report.wrongBytes],
      [0, 0, 0],
      `${streams[at]}: ${JSON.stringify(report)}`,
    );
    const stayed = await stayers[at]!.stop();
    assert.deepEqual(
      [stayed.broken, stayed.lost, stayed.alive],
      [0, 0, LONG.connections],
      `${streams[at]}: ${JSON.stringify(stayed)}`,
    );
  }
  for (const { stop } of askers) assert.ok(await stop() > 10);
  assert.deepEqual((await managed.service("steady")).workers.map(({ pid }) => pid), steady);
  await generator.close();
  await managed.process.stop();
  assert.deepEqual(managed.process.all({ event: "error" }), []);
});

test("kill -9 of workers costs the sessions inside them, and no other", async (t) => {
  const concurrency = { strategy: "processes", workers: 2 };
  const managed = await ManagedServer.start(t, { echo: versioned(TCP, 0, { concurrency }) });
  const generator = new Generator();
  t.after(() => generator.close());
  const endpoint = await managed.endpoint("echo", "tcp");
  const load = await generator.short({ endpoint, concurrency: 8, rate: 300, bytes: 512 });
  for (let kills = 1; kills <= 3; kills++) {
    await load.reached((await load.report()).completed + 30);
    const { workers } = await managed.service("echo");
    const { pid } = workers.find(({ state }) => state === "ready")!;
    sendSignal(pid, "SIGKILL");
    await managed.process.record({ event: "worker", action: "exited", pid });
  }
  await load.reached((await load.report()).completed + 30);
  const report = await load.stop();
  const exits = managed.process.all({ event: "worker", action: "exited" });
  const lost = exits.reduce((sum, exit) => sum + (exit["lost"] as number ?? 0), 0);
  assert.equal(exits.length, 3);
  assert.ok(report.failed <= lost, `${report.failed} of ${lost}: ${JSON.stringify(report)}`);
  assert.equal((await managed.service("echo")).restarts, 3);
  await generator.close();
  await managed.process.stop();
});
