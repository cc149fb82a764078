/** Sinks that a reload finds changed, or there at last. */
import assert from "node:assert/strict";
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { ManagedServer, TCP } from "../support/managed-server.ts";
import { dial, type StreamClient } from "../support/peers.ts";
import { ask, probe } from "../support/probe.ts";
import type { JsonRecord } from "../support/server-process.ts";
import { lackingStrategy, type StrategyName } from "../support/strategies.ts";
import { until } from "../support/until.ts";

const STRATEGIES = ["async", "threads", "processes"] as const;

/** Those that can be had here. */
function strategies(): readonly StrategyName[] {
  return STRATEGIES.filter((strategy) => lackingStrategy(strategy) === false);
}

/** The probe under each strategy, with these sinks. */
function probes(log: unknown): Record<string, Record<string, unknown>> {
  return Object.fromEntries(
    strategies().map((strategy) => {
      const concurrency = strategy === "async" ? strategy : { strategy, workers: 1 };
      return [strategy, probe(concurrency, {}, { log, limits: { drain: "10s" } })];
    }),
  );
}

/** A session of each of them. */
async function visit(
  t: Parameters<typeof dial>[0],
  managed: ManagedServer,
): Promise<StreamClient[]> {
  return await Promise.all(
    strategies().map(async (name) => {
      const peer = await dial(t, await managed.endpoint(name, "tcp"));
      assert.equal(await ask(peer, "echo here"), "here");
      return peer;
    }),
  );
}

async function logs(peers: readonly StreamClient[]): Promise<void> {
  await Promise.all(peers.map((peer) => ask(peer, "log 1")));
}

function lines(path: string): string[] {
  return existsSync(path) ? readFileSync(path, "utf8").split("\n").slice(0, -1) : [];
}

const JSON_SINK = { type: "json", level: "debug" };

test("an optional sink that comes later is found by a reload, for all services", async (t) => {
  const late = { type: "file", path: "later/a.log", optional: true, events: ["log"] };
  const managed = await ManagedServer.start(t, probes([JSON_SINK, late]));
  const peers = await visit(t, managed);
  const path = join(managed.home, "later", "a.log");
  const dropped = async () =>
    (await managed.status()).sinks.find(({ name }) => name === "file")!.dropped;
  await logs(peers);
  // Each has said that it was set up, and one line.
  await until(
    "the records",
    () => managed.process.all({ event: "log", number: 1 }).length === peers.length,
  );
  const missed = managed.process.all({ event: "log", level: "info" }).length;
  assert.equal(missed, 2 * peers.length);
  assert.equal(await dropped(), missed);
  // What it says there comes beside the records, and may come after them.
  const reports = (): number =>
    managed.process.errors.match(/the sink file is left out: /g)?.length ?? 0;
  await until("the first report", () => reports() > 0);
  assert.equal(reports(), 1);
  assert.deepEqual((await managed.reload()).changed, []);
  await until("the second report", () => reports() === 2);
  mkdirSync(join(managed.home, "later"));
  const { changed, unchanged } = await managed.reload();
  assert.deepEqual([changed, unchanged], [[], [...strategies()]]);
  await logs(peers);
  const others = await visit(t, managed);
  await until("all records in the file", () => lines(path).length === 2 * peers.length);
  const found = lines(path).map((line) => JSON.parse(line) as JsonRecord);
  assert.deepEqual(
    found.map(({ service, number }) => `${service} ${number}`).sort(),
    strategies().flatMap((name) => [`${name} 1`, `${name} undefined`]).sort(),
    "of sessions that were there before, and of new ones",
  );
  assert.equal(await dropped(), missed, "no more is lost");
  await until("the notice", () => managed.process.errors.includes("there now"));
  assert.match(
    managed.process.errors,
    new RegExp(`the sink file is there now; records that it has missed: ${missed}\n$`),
  );
  await managed.reload();
  for (const peer of [...peers, ...others]) peer.end();
  await managed.process.stop();
  assert.equal(managed.process.errors.match(/there now/g)?.length, 1);
  assert.equal(lines(path).length, 4 * peers.length, "they all have finished");
});

test("an optional sink that nobody wants any more is not opened by a reload", async (t) => {
  const late = { type: "file", path: "later/a.log", optional: true };
  const managed = await ManagedServer.start(t, {
    a: probe("async", {}, { log: [JSON_SINK, late] }),
  });
  mkdirSync(join(managed.home, "later"));
  managed.write({ a: probe("async", {}, { log: [JSON_SINK] }) });
  assert.deepEqual((await managed.reload()).changed, ["a"]);
  await managed.process.stop();
  assert.equal(existsSync(join(managed.home, "later", "a.log")), false);
});

/** A sink that writes a word for each line that is logged. */
const noting = (word: string): string => `
import { appendFileSync } from "node:fs";
import { join } from "node:path";
export default {
  name: "noting",
  open: (_options, { folder }) => ({ number, service }) => {
    const line = ${JSON.stringify(word)} + " " + service + "\\n";
    if (number !== undefined) appendFileSync(join(folder, "notes"), line);
  },
};
`;

test("a sink plugin that was changed is read anew by a reload", async (t) => {
  const log = [JSON_SINK, { type: "./noting.js", events: ["log"], level: "info" }];
  const managed = ManagedServer.prepare(t, {
    ...probes(log),
    other: probe("async", {}, { log: [JSON_SINK] }),
  });
  const notes = join(managed.home, "notes");
  const write = (word: string): void =>
    writeFileSync(join(managed.home, "noting.js"), noting(word));
  const noted = async (word: string, peers: readonly StreamClient[]): Promise<void> => {
    rmSync(notes, { force: true });
    await logs(peers);
    await until(`${word} of each`, () => lines(notes).length >= peers.length);
    assert.deepEqual(lines(notes).sort(), strategies().map((name) => `${word} ${name}`).sort());
  };
  write("one");
  await managed.start();
  const before = await visit(t, managed);
  await noted("one", before);
  write("two");
  const { changed, unchanged } = await managed.reload();
  assert.deepEqual([changed, unchanged], [[...strategies()], ["other"]]);
  const after = await visit(t, managed);
  await noted("two", after);
  await noted("one", before);
  assert.deepEqual((await managed.reload()).changed, []);
  writeFileSync(join(managed.home, "noting.js"), "export default {");
  await assert.rejects(managed.reload(), /noting\.js|a module that can be imported/);
  await noted("two", after);
  write("one");
  assert.deepEqual((await managed.reload()).changed, [...strategies()]);
  const last = await visit(t, managed);
  await noted("one", last);
  for (const peer of [...before, ...after, ...last]) peer.end();
  await managed.process.stop();
});

test("--watch sees a sink plugin that was changed", async (t) => {
  const managed = ManagedServer.prepare(t, {
    a: {
      plugin: "echo",
      listen: TCP,
      log: [JSON_SINK, { type: "./noting.js", events: ["log"] }],
    },
  });
  const write = (word: string): void =>
    writeFileSync(join(managed.home, "noting.js"), noting(word));
  write("one");
  await managed.start(managed.home, "--watch");
  write("two");
  const reload = await managed.process.record({ event: "reload" });
  assert.deepEqual(reload["changed"], ["a"]);
  await managed.process.stop();
});
