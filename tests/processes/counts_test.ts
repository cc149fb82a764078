/** How many are served at once, under every strategy: exactly as many as may be, over all workers together. */
import assert from "node:assert/strict";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { folder } from "../support/folder.ts";
import { dial, type StreamClient } from "../support/peers.ts";
import { ask, controlled, probe, who } from "../support/probe.ts";
import { children } from "../support/proc.ts";
import { type ServerProcess, startServer } from "../support/server-process.ts";
import {
  lackingStrategy,
  lackingWorkers,
  SAMPLED_WORKERS,
  type StrategyName,
} from "../support/strategies.ts";
import { until } from "../support/until.ts";

const CLIENTS = 50;

/** A strategy, and how many it serves at once. */
const PEAKS: readonly (readonly [StrategyName, object, number])[] = [
  ["serial", { strategy: "serial" }, 1],
  ["async", { strategy: "async", max: 3 }, 3],
  ["threads", { strategy: "threads", workers: 2, max: 5 }, 5],
  ["processes", { strategy: "processes", workers: 2, max: 5 }, 5],
  ["spawn", { strategy: "spawn", max: 3 }, 3],
];

/** How many were there when it was let in; undefined while it waits. */
function seen(peer: StreamClient): number | undefined {
  const found = /^(\d+) present\n/.exec(peer.text);
  return found === null ? undefined : Number(found[1]);
}

for (const [strategy, concurrency, most] of PEAKS) {
  test(
    `${strategy}: of 50 clients at once ${most} are served, and all of them in the end`,
    { skip: lackingStrategy(strategy) },
    async (t) => {
      const home = folder(t, {});
      const present = join(home, "present");
      mkdirSync(present);
      const manifest = controlled({
        one: probe(concurrency, { present }, { limits: { hold: "10m" } }),
      })["portico.json"];
      const server = await startServer(t, folder(t, { "portico.json": manifest }));
      const endpoint = server.endpoint("one", "tcp");
      const peers = await Promise.all(Array.from({ length: CLIENTS }, () => dial(t, endpoint)));
      const served = (): StreamClient[] => peers.filter((peer) => seen(peer) !== undefined);
      let processes = 0;
      const gone = new Set<StreamClient>();
      for (let left = 0; left < CLIENTS; left++) {
        const wanted = Math.min(CLIENTS, left + most);
        await until(
          () => `${wanted} served, when ${left} have left; there are ${served().length}`,
          () => served().length >= wanted,
        );
        assert.equal(served().length, wanted, "not one more than may be");
        processes = Math.max(processes, children(server.pid).length);
        if (left === 0) {
          // Some may still be in the kernel's queue.
          let status = await server.status("one");
          while (status["live"] !== CLIENTS) status = await server.status("one");
          assert.equal(status["held"], CLIENTS - most);
        }
        const leaver = served().find((peer) => !gone.has(peer))!;
        gone.add(leaver);
        leaver.end();
        await leaver.when("the close", () => leaver.gone);
      }
      const peaks = peers.map((peer) => seen(peer)!);
      assert.equal(Math.max(...peaks), most);
      if (strategy === "spawn") assert.equal(processes, most);
      await server.count(CLIENTS, { event: "close", reason: "peer" });
      assert.deepEqual(server.all({ event: "refuse" }), []);
      await server.stop();
    },
  );
}

/** Connects so many, and waits until each is served or refused. */
async function crowd(
  t: TestContext,
  server: ServerProcess,
  service: string,
  count: number,
): Promise<{
  served: StreamClient[];
  refused: StreamClient[];
}> {
  const before = server.all({ event: "refuse", service }).length;
  const endpoint = server.endpoint(service, "tcp");
  const peers = await Promise.all(Array.from({ length: count }, () => dial(t, endpoint)));
  for (const peer of peers) peer.send("who\n");
  const settled = (peer: StreamClient): boolean => peer.received > 0 || peer.ended || peer.gone;
  await Promise.all(peers.map((peer) => peer.when("an answer, or the end", () => settled(peer))));
  const refused = peers.filter((peer) => peer.received === 0);
  await server.count(before + refused.length, { event: "refuse", service });
  return { served: peers.filter((peer) => peer.received > 0), refused };
}

async function leave(peer: StreamClient): Promise<void> {
  peer.end();
  await peer.when("the close", () => peer.gone);
}

for (const strategy of SAMPLED_WORKERS) {
  test(`${strategy}: limits are exact over all workers`, { skip: lackingWorkers }, async (t) => {
    const concurrency = strategy === "spawn" ? strategy : { strategy, workers: 2 };
    const one = { strategy, max: 1, ...(strategy !== "spawn" && { workers: 2 }) };
    const server = await startServer(
      t,
      folder(
        t,
        controlled({
          sessions: probe(concurrency, {}, { limits: { sessions: 5, drain: "0s" } }),
          source: probe(concurrency, {}, { limits: { perSource: 4, drain: "0s" } }),
          rate: probe(concurrency, {}, { limits: { rate: "6/h" } }),
          parked: probe(concurrency, {}, {
            limits: { sessions: 2, overflow: "hold", hold: "60s" },
          }),
          brief: probe(one, {}, { limits: { hold: "400ms" } }),
          turns: probe(one, {}, { limits: { hold: "10m" } }),
        }),
      ),
    );

    for (
      const [service, limit, most] of [["sessions", "sessions", 5], [
        "source",
        "perSource",
        4,
      ]] as const
    ) {
      const { served, refused } = await crowd(t, server, service, 12);
      assert.deepEqual([served.length, refused.length], [most, 12 - most]);
      assert.equal(server.all({ event: "refuse", service, limit }).length, 12 - most);
      if (strategy !== "spawn") {
        const places = new Set((await Promise.all(served.map(who))).map(({ place }) => place));
        assert.equal(places.size, 2, "both workers serve");
      }
      // Two leave, two come in, and no third.
      await Promise.all(served.slice(0, 2).map(leave));
      await server.count(2, { event: "close", service });
      const again = await crowd(t, server, service, 3);
      assert.deepEqual([again.served.length, again.refused.length], [2, 1]);
    }

    const { served, refused } = await crowd(t, server, "rate", 9);
    assert.deepEqual([served.length, refused.length], [6, 3]);
    await Promise.all(served.map(leave));
    assert.equal(
      (await crowd(t, server, "rate", 1)).refused.length,
      1,
      "a leaver gives no rate back",
    );
    assert.equal(server.all({ event: "refuse", limit: "rate" }).length, 4);

    const parked = await Promise.all(
      Array.from({ length: 6 }, () => dial(t, server.endpoint("parked", "tcp"))),
    );
    for (const peer of parked) peer.send("who\n");
    const inside = (): StreamClient[] => parked.filter((peer) => peer.received > 0);
    for (let left = 0; left < 6; left++) {
      const wanted = Math.min(6, left + 2);
      await until(`${wanted} served`, () => inside().length >= wanted);
      assert.equal(inside().length, wanted);
      await leave(inside().find((peer) => !peer.gone)!);
    }

    // One has the turn: who waits for it is refused in time.
    const busy = await dial(t, server.endpoint("brief", "tcp"));
    await ask(busy, "who");
    const began = performance.now();
    await (await dial(t, server.endpoint("brief", "tcp"))).over();
    const waited = performance.now() - began;
    assert.ok(waited >= 380, `it was held for ${waited} ms`);
    await server.record({ event: "refuse", service: "brief", limit: "hold" });
    await leave(busy);

    // Those who wait and leave do not keep the turn from who stays.
    const first = await dial(t, server.endpoint("turns", "tcp"));
    await ask(first, "who");
    for (let i = 0; i < 10; i++) (await dial(t, server.endpoint("turns", "tcp"))).leave();
    const last = await dial(t, server.endpoint("turns", "tcp"));
    first.end();
    const { id } = await who(last);
    last.end();
    await server.record({ event: "close", session: id });
    await server.stop();
    assert.equal(server.errors, "");
  });
}
