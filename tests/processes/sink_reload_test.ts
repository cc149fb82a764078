/** Sinks that a reload finds changed, or there at last. */
import assert from "node:assert/strict";
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { until } from "../support/until.ts";
import { dial, type Peer } from "../support/peers.ts";
import type { Line } from "../support/server.ts";
import { Site, TCP } from "../support/site.ts";
import { ask, lackingStrategy, type StrategyName, witness } from "../support/witness.ts";

const STRATEGIES = ["async", "threads", "processes"] as const;

/** Those that can be had here. */
function strategies(): readonly StrategyName[] {
  return STRATEGIES.filter((strategy) => lackingStrategy(strategy) === false);
}

/** The witness under each strategy, with these sinks. */
function witnesses(log: unknown): Record<string, Record<string, unknown>> {
  return Object.fromEntries(
    strategies().map((strategy) => {
      const concurrency = strategy === "async" ? strategy : { strategy, workers: 1 };
      return [strategy, witness(concurrency, {}, { log, limits: { drain: "10s" } })];
    }),
  );
}

/** A session of each of them. */
async function visit(t: Parameters<typeof dial>[0], site: Site): Promise<Peer[]> {
  return await Promise.all(
    strategies().map(async (name) => {
      const peer = await dial(t, await site.endpoint(name, "tcp"));
      assert.equal(await ask(peer, "echo here"), "here");
      return peer;
    }),
  );
}

async function logs(peers: readonly Peer[]): Promise<void> {
  await Promise.all(peers.map((peer) => ask(peer, "log 1")));
}

function lines(path: string): string[] {
  return existsSync(path) ? readFileSync(path, "utf8").split("\n").slice(0, -1) : [];
}

const JSON_SINK = { type: "json", level: "debug" };

test("an optional sink that comes later is found by a reload, for all services", async (t) => {
  const late = { type: "file", path: "later/a.log", optional: true, events: ["log"] };
  const site = await Site.open(t, witnesses([JSON_SINK, late]));
  const peers = await visit(t, site);
  const path = join(site.home, "later", "a.log");
  const dropped = async () =>
    (await site.status()).sinks.find(({ name }) => name === "file")!.dropped;
  await logs(peers);
  // Each has said that it was set up, and one line.
  await until(
    "the records",
    () => site.server.all({ event: "log", number: 1 }).length === peers.length,
  );
  const missed = site.server.all({ event: "log", level: "info" }).length;
  assert.equal(missed, 2 * peers.length);
  assert.equal(await dropped(), missed);
  assert.equal(site.server.errors.match(/the sink file is left out: /g)?.length, 1);
  assert.deepEqual((await site.reload()).changed, []);
  await until(
    "the second report",
    () => site.server.errors.match(/the sink file is left out: /g)?.length === 2,
  );
  mkdirSync(join(site.home, "later"));
  const { changed, unchanged } = await site.reload();
  assert.deepEqual([changed, unchanged], [[], [...strategies()]]);
  await logs(peers);
  const others = await visit(t, site);
  await until("all records in the file", () => lines(path).length === 2 * peers.length);
  const found = lines(path).map((line) => JSON.parse(line) as Line);
  assert.deepEqual(
    found.map(({ service, number }) => `${service} ${number}`).sort(),
    strategies().flatMap((name) => [`${name} 1`, `${name} undefined`]).sort(),
    "of sessions that were there before, and of new ones",
  );
  assert.equal(await dropped(), missed, "no more is lost");
  assert.match(
    site.server.errors,
    new RegExp(`the sink file is there now; records that it has missed: ${missed}\n$`),
  );
  await site.reload();
  for (const peer of [...peers, ...others]) peer.end();
  await site.server.stop();
  assert.equal(site.server.errors.match(/there now/g)?.length, 1);
  assert.equal(lines(path).length, 4 * peers.length, "they all have finished");
});

test("an optional sink that nobody wants any more is not opened by a reload", async (t) => {
  const late = { type: "file", path: "later/a.log", optional: true };
  const site = await Site.open(t, { a: witness("async", {}, { log: [JSON_SINK, late] }) });
  mkdirSync(join(site.home, "later"));
  site.write({ a: witness("async", {}, { log: [JSON_SINK] }) });
  assert.deepEqual((await site.reload()).changed, ["a"]);
  await site.server.stop();
  assert.equal(existsSync(join(site.home, "later", "a.log")), false);
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
  const site = Site.make(t, {
    ...witnesses(log),
    other: witness("async", {}, { log: [JSON_SINK] }),
  });
  const notes = join(site.home, "notes");
  const write = (word: string): void => writeFileSync(join(site.home, "noting.js"), noting(word));
  const noted = async (word: string, peers: readonly Peer[]): Promise<void> => {
    rmSync(notes, { force: true });
    await logs(peers);
    await until(`${word} of each`, () => lines(notes).length >= peers.length);
    assert.deepEqual(lines(notes).sort(), strategies().map((name) => `${word} ${name}`).sort());
  };
  write("one");
  await site.start();
  const before = await visit(t, site);
  await noted("one", before);
  write("two");
  const { changed, unchanged } = await site.reload();
  assert.deepEqual([changed, unchanged], [[...strategies()], ["other"]]);
  const after = await visit(t, site);
  await noted("two", after);
  await noted("one", before);
  assert.deepEqual((await site.reload()).changed, []);
  writeFileSync(join(site.home, "noting.js"), "export default {");
  await assert.rejects(site.reload(), /noting\.js|a module that can be imported/);
  await noted("two", after);
  write("one");
  assert.deepEqual((await site.reload()).changed, [...strategies()]);
  const last = await visit(t, site);
  await noted("one", last);
  for (const peer of [...before, ...after, ...last]) peer.end();
  await site.server.stop();
});

test("--watch sees a sink plugin that was changed", async (t) => {
  const site = Site.make(t, {
    a: {
      plugin: "echo",
      listen: TCP,
      log: [JSON_SINK, { type: "./noting.js", events: ["log"] }],
    },
  });
  const write = (word: string): void => writeFileSync(join(site.home, "noting.js"), noting(word));
  write("one");
  await site.start(site.home, "--watch");
  write("two");
  const reload = await site.server.record({ event: "reload" });
  assert.deepEqual(reload["changed"], ["a"]);
  await site.server.stop();
});
