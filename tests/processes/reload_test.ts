/** A reload: what has changed is replaced, nothing else notices, and nobody is lost. */
import assert from "node:assert/strict";
import { existsSync, lstatSync, mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { ManagedServer, TCP, versioned } from "../support/managed-server.ts";
import { askOnce, dial, knock, type StreamClient } from "../support/peers.ts";
import { gone } from "../support/proc.ts";
import { until } from "../support/until.ts";

test("only what has changed is touched; a service may come, go, and move to another socket", async (t) => {
  const steady = versioned(["unix:./steady", TCP], 1, {
    concurrency: { strategy: "processes", workers: 1 },
  });
  const managed = await ManagedServer.start(t, {
    steady,
    leaver: versioned("unix:./leaver", 1),
    mover: versioned(["unix:./mover", "unix:./old"], 1, {
      concurrency: { strategy: "threads", workers: 1 },
    }),
  });
  const place = (name: string): string => join(managed.home, name);
  const workers = async () => (await managed.service("steady")).workers.map(({ pid }) => pid);
  const [pids, port] = [await workers(), await managed.endpoint("steady", "tcp")];
  const stays = await dial(t, `unix:${place("steady")}`);
  await stays.echo("hello");
  const leaves = await dial(t, `unix:${place("leaver")}`);
  await leaves.echo("hello");
  const inode = lstatSync(place("mover")).ino;
  managed.write({
    steady,
    mover: versioned(["unix:./mover", "unix:./new"], 1, {
      concurrency: { strategy: "threads", workers: 1 },
    }),
    comer: versioned("unix:./comer", 7),
  });
  assert.deepEqual(await managed.reload(), {
    added: ["comer"],
    changed: ["mover"],
    removed: ["leaver"],
    unchanged: ["steady"],
  });
  assert.deepEqual(
    ["steady", "leaver", "mover", "old", "new", "comer"].filter((name) => existsSync(place(name))),
    ["steady", "mover", "new", "comer"],
  );
  assert.equal(lstatSync(place("mover")).ino, inode, "the socket is the same");
  assert.equal(await knock(`unix:${place("leaver")}`), "ENOENT");
  assert.equal(await managed.version(`unix:${place("comer")}`), "7");
  assert.equal(await managed.version(`unix:${place("new")}`), "1");
  await leaves.echo(" and goodbye");
  leaves.end();
  await stays.echo(" again");
  assert.deepEqual([await workers(), await managed.endpoint("steady", "tcp")], [pids, port]);
  const { added, changed, removed, unchanged } = await managed.process.record({ event: "reload" });
  assert.deepEqual([added, changed, removed, unchanged], [["comer"], ["mover"], ["leaver"], [
    "steady",
  ]]);
  // Another name for the same socket: it is handed on, not bound twice.
  managed.write({ steady, renamed: versioned(["unix:./mover", "unix:./new"], 2) });
  assert.deepEqual((await managed.reload()).removed, ["mover", "comer"]);
  assert.equal(await managed.version(`unix:${place("mover")}`), "2");
  assert.equal(lstatSync(place("mover")).ino, inode);
  stays.end();
  await managed.process.stop();
  assert.deepEqual(
    ["steady", "mover", "new", "comer"].filter((name) => existsSync(place(name))),
    [],
  );
});

test("a plugin that was changed is loaded anew, with what it imports", async (t) => {
  const plugin = (word: string): string =>
    `import { other } from "./other.js";
     export default { name: "own", transports: ["stream"], start: () => ({
       data: (session) => session.write(${JSON.stringify(word)} + " " + other + "\\n"),
     }) };`;
  const own = (listen: string, strategy: string) => ({
    plugin: "./own.js",
    listen,
    concurrency: strategy === "async" ? "async" : { strategy, workers: 1 },
  });
  const services = {
    a: own("unix:./a", "async"),
    t: own("unix:./t", "threads"),
    p: own("unix:./p", "processes"),
    echo: { plugin: "echo", listen: "unix:./e" },
  };
  const managed = ManagedServer.prepare(t, services);
  const write = (name: string, text: string): void => writeFileSync(join(managed.home, name), text);
  write("own.js", plugin("one"));
  write("other.js", "export const other = 1;");
  await managed.start();
  const told = async (): Promise<string[]> =>
    await Promise.all(
      ["a", "t", "p"].map((name) => askOnce(t, `unix:${join(managed.home, name)}`, "?")),
    );
  assert.deepEqual(await told(), ["one 1", "one 1", "one 1"]);
  write("own.js", plugin("two"));
  const reloaded = await managed.reload();
  assert.deepEqual([reloaded.changed, reloaded.unchanged], [["a", "t", "p"], ["echo"]]);
  assert.deepEqual(await told(), ["two 1", "two 1", "two 1"]);
  write("other.js", "export const other = 2;");
  assert.deepEqual((await managed.reload()).changed, ["a", "t", "p"]);
  assert.deepEqual(await told(), ["two 2", "two 2", "two 2"]);
  assert.deepEqual((await managed.reload()).changed, []);
  write("own.js", plugin("one"));
  await managed.reload();
  assert.deepEqual(await told(), ["one 2", "one 2", "one 2"]);
  await managed.process.stop();
});

test("what stays as it was, as a package does, is named in the record; workers have what is new", async (t) => {
  const managed = ManagedServer.prepare(t, {
    a: { plugin: "./own.js", listen: "unix:./a" },
    p: {
      plugin: "./own.js",
      listen: "unix:./p",
      concurrency: { strategy: "processes", workers: 1 },
    },
  });
  const dep = join(managed.home, "node_modules/dep");
  mkdirSync(dep, { recursive: true });
  const write = (version: number): void => {
    const json = { version: `${version}.0.0`, type: "module", exports: "./dep.js" };
    writeFileSync(join(dep, "package.json"), JSON.stringify(json));
    writeFileSync(join(dep, "dep.js"), `export const dep = "${version}";`);
  };
  write(1);
  writeFileSync(
    join(managed.home, "own.js"),
    `import { dep } from "dep";
     export default { name: "own", transports: ["stream"], start: () => ({
       data: (session) => session.write(dep + "\\n"),
     }) };`,
  );
  await managed.start();
  write(2);
  const { changed, kept } = await managed.reload();
  assert.deepEqual([changed, kept], [["a", "p"], [join(dep, "dep.js")]]);
  const record = await managed.process.record({ event: "reload" });
  assert.deepEqual([record["level"], record["kept"]], ["warn", kept]);
  assert.match(record["why"] as string, /restart/);
  const ask = (name: string): Promise<string> =>
    askOnce(t, `unix:${join(managed.home, name)}`, "?");
  assert.deepEqual([await ask("a"), await ask("p")], ["1", "2"]);
  await managed.process.stop();
});

test("SIGHUP and --watch reload too; log files are opened anew, and sinks change", async (t) => {
  const services = (version: number, file: string) => ({
    echo: versioned("unix:./a", version, { log: { type: "file", path: `./${file}` } }),
    other: versioned("unix:./o", 1),
  });
  const managed = ManagedServer.prepare(t, services(1, "one.log"));
  await managed.start(managed.home, "--watch");
  const path = (name: string): string => join(managed.home, name);
  const a = `unix:${path("a")}`;
  const lines = (name: string): number =>
    readFileSync(path(name), "utf8").trim().split("\n").length;
  const text = (name: string): string =>
    existsSync(path(name)) ? readFileSync(path(name), "utf8") : "";
  // A file that is put in the place of the manifest.
  const next = path("next");
  managed.write(services(2, "one.log"));
  renameSync(managed.file, next);
  renameSync(next, managed.file);
  await managed.process.record({ event: "reload" });
  assert.equal(await managed.version(a), "2");
  assert.ok(lines("one.log") > 0);
  // Rotation: without a change of the manifest.
  renameSync(path("one.log"), path("one.log.1"));
  managed.process.signal("SIGHUP");
  await managed.process.count(2, { event: "reload" });
  await managed.version(a);
  await until("a record in the new file", () => text("one.log").includes('"open"'));
  const stays = await dial(t, a);
  await stays.echo("in the old one");
  managed.write(services(2, "two.log"));
  await managed.process.count(3, { event: "reload" });
  await managed.version(a);
  await until("a record in the other file", () => text("two.log").includes('"open"'));
  // A session of before goes on with the log of before.
  stays.end();
  await stays.over();
  await managed.process.stop();
  assert.match(text("one.log").trim().split("\n").at(-1)!, /"close"|"stop"/);
  assert.match(text("one.log"), /"bytesIn":14/);
});

test("two reloads at once are done one after the other", async (t) => {
  const concurrency = { strategy: "processes", workers: 1 };
  const managed = await ManagedServer.start(t, { echo: versioned("unix:./a", 1, { concurrency }) });
  managed.write({ echo: versioned("unix:./a", 2, { concurrency }) });
  const results = await Promise.all([managed.reload(), managed.reload(), managed.reload()]);
  assert.deepEqual(results.map(({ changed }) => changed.length).toSorted(), [0, 0, 1]);
  assert.equal(await managed.version(`unix:${join(managed.home, "a")}`), "2");
  await managed.process.stop();
});

test("nothing is reloaded any more by a server that drains; a drain of one service goes on", async (t) => {
  const managed = await ManagedServer.start(t, {
    echo: versioned("unix:./a", 1),
    other: versioned("unix:./o", 1),
  });
  const peer = await dial(t, `unix:${join(managed.home, "a")}`);
  await peer.echo("hello");
  const draining = managed.ask("drain", { service: "echo" });
  await managed.process.record({ event: "drain", service: "echo" });
  managed.write({ echo: versioned("unix:./a", 1), other: versioned("unix:./o", 2) });
  assert.deepEqual((await managed.reload()).changed, ["other"]);
  assert.equal((await managed.service("echo")).state, "draining");
  peer.end();
  assert.deepEqual(await draining, ["echo"]);
  const last = await dial(t, `unix:${join(managed.home, "o")}`);
  await last.echo("hello");
  managed.process.signal("SIGTERM");
  await managed.process.record({ event: "drain", service: "other" });
  managed.write({ echo: versioned("unix:./a", 3), more: versioned("unix:./more", 1) });
  await assert.rejects(managed.reload(), /ending/);
  assert.equal(existsSync(join(managed.home, "more")), false);
  last.end();
  assert.equal(await managed.process.ended(), 0);
});

for (
  const concurrency of [
    { strategy: "async", max: 2 },
    { strategy: "processes", workers: 1, max: 2 },
  ]
) {
  test(`counts and limits hold over a reload (${concurrency.strategy})`, async (t) => {
    const echo = (version: number) =>
      versioned("unix:./a", version, { concurrency, limits: { sessions: 4, drain: "60s" } });
    const managed = await ManagedServer.start(t, { echo: echo(1) });
    const a = `unix:${join(managed.home, "a")}`;
    const open = async (text: string): Promise<StreamClient> => {
      const peer = await dial(t, a);
      peer.send(text);
      return peer;
    };
    const old = [await open("version?\n"), await open("version?\n")];
    for (const peer of old) await peer.hears("1\n");
    const held = await open("version?\n");
    await managed.until("echo", ({ held }) => held === 1);
    managed.write({ echo: echo(2) });
    assert.deepEqual((await managed.reload()).changed, ["echo"]);
    const fresh = await open("version?\n");
    await managed.until("echo", ({ held }) => held === 2);
    const { live, held: waiting } = await managed.service("echo");
    assert.deepEqual([live, waiting], [4, 2], "both generations together");
    const fifth = await dial(t, a);
    await fifth.over();
    assert.equal((await managed.process.record({ event: "refuse" }))["limit"], "sessions");
    assert.equal(fresh.received + held.received, 0, "max holds over both");
    old[0]!.end();
    // Who was held during the reload is served, by the code that let it in, and before the newcomer.
    await held.hears("1\n");
    assert.equal(fresh.received, 0);
    old[1]!.end();
    await fresh.hears("2\n");
    held.end();
    fresh.end();
    await managed.process.count(4, { event: "close" });
    const { bytesIn, refused, ...after } = await managed.service("echo");
    assert.deepEqual([after.live, after.served, refused, bytesIn], [0, 4, 1, 36]);
    await managed.process.stop();
  });
}

test("workers of a generation end with their last session", async (t) => {
  const concurrency = { strategy: "processes", workers: 1 };
  const managed = await ManagedServer.start(t, { echo: versioned("unix:./a", 1, { concurrency }) });
  const a = `unix:${join(managed.home, "a")}`;
  const peer = await dial(t, a);
  peer.send("pid?\n");
  await peer.when("a pid", () => peer.text.endsWith("\n"));
  const pid = Number(peer.text);
  managed.write({ echo: versioned("unix:./a", 2, { concurrency }) });
  await managed.reload();
  const { workers } = await managed.service("echo");
  assert.deepEqual(
    workers.map((one) => [one.pid === pid, one.live]).toSorted(),
    [[false, 0], [true, 1]],
    "both are shown",
  );
  peer.end();
  await gone([pid]);
  await managed.process.stop();
});
