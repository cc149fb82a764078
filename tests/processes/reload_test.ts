/** A reload: what has changed is replaced, nothing else notices, and nobody is lost. */
import assert from "node:assert/strict";
import { existsSync, lstatSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { test } from "node:test";
import { Generator } from "../../bench/churn/client.ts";
import { portico } from "../support/command.ts";
import { askRepeatedly, ManagedServer, TCP, UDP, versioned } from "../support/managed-server.ts";
import { dial, knock, openDatagrams, openUdp, type StreamClient } from "../support/peers.ts";
import { gone } from "../support/proc.ts";
import { until } from "../support/until.ts";

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
    process.kill(pid, "SIGKILL");
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

test("a plugin that was changed is loaded anew, with what it imports where there are workers", async (t) => {
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
      ["a", "t", "p"].map((name) => managed.answer(`unix:${join(managed.home, name)}`, "?\n")),
    );
  assert.deepEqual(await told(), ["one 1", "one 1", "one 1"]);
  write("own.js", plugin("two"));
  const reloaded = await managed.reload();
  assert.deepEqual([reloaded.changed, reloaded.unchanged], [["a", "t", "p"], ["echo"]]);
  assert.deepEqual(await told(), ["two 1", "two 1", "two 1"]);
  write("other.js", "export const other = 2;");
  assert.deepEqual((await managed.reload()).changed, ["a", "t", "p"]);
  assert.deepEqual((await told()).slice(1), ["two 2", "two 2"]);
  assert.deepEqual((await managed.reload()).changed, []);
  write("own.js", plugin("one"));
  await managed.reload();
  assert.deepEqual((await told()).map((text) => text.slice(0, 3)), ["one", "one", "one"]);
  await managed.process.stop();
});

test("a reload that cannot be done says why and changes nothing", async (t) => {
  const good = (version: number) => ({
    echo: versioned(["unix:./a", TCP], version, {
      concurrency: { strategy: "processes", workers: 1 },
    }),
    other: versioned("unix:./o", 1),
  });
  const managed = await ManagedServer.start(t, good(1));
  const occupied = await ManagedServer.start(t, { x: { plugin: "echo", listen: TCP } });
  const used = await occupied.endpoint("x", "tcp");
  const a = `unix:${join(managed.home, "a")}`;
  const old = await dial(t, a);
  await old.echo("old");
  const text = readFileSync(managed.file, "utf8");
  const before = await managed.status();
  const wrong: Record<string, readonly [() => void, RegExp]> = {
    "gone": [() => rmSync(managed.file), /no manifest|cannot be found|MANIFEST|portico\.json/],
    "cut": [
      () => writeFileSync(managed.file, text.slice(0, text.length / 2)),
      /portico\.json:\d+:\d+/,
    ],
    "syntax": [() => writeFileSync(managed.file, "{ services: }"), /portico\.json:1:\d+/],
    "invalid": [
      () => managed.write({ echo: versioned("tpc://127.0.0.1:0", 2) }),
      /services\.echo\.listen[^]*tpc:/,
    ],
    "no plugin": [
      () => managed.write({ ...good(2), more: { plugin: "./none.ts", listen: TCP } }),
      /services\.more\.plugin[^]*none\.ts/,
    ],
    "port in use": [
      () => managed.write({ ...good(2), echo: versioned(["unix:./a", "unix:./fresh", used], 2) }),
      new RegExp(`"echo": [^]*${used.slice(6)}`),
    ],
    "port in use by the last": [
      () => managed.write({ ...good(2), more: versioned(["unix:./fresh", used], 1) }),
      /"more": /,
    ],
    "start throws": [
      () =>
        managed.write({
          ...good(2),
          other: versioned("unix:./o", 1, { options: { fails: true } }),
        }),
      /"other": [^]*nothing works today/,
    ],
    "a worker's start throws": [
      () => managed.write({ echo: { ...good(2).echo, options: { fails: true } } }),
      /"echo": [^]*nothing works today/,
    ],
    "control": [() => managed.write(good(2), { control: "unix:./d" }), /control cannot be changed/],
  };
  let count = 0;
  for (const [name, [spoil, message]] of Object.entries(wrong)) {
    spoil();
    const { code, out, err } = await ctlOrAsk(managed, name);
    assert.equal(code, 1, `${name}: ${out}${err}`);
    assert.match(err, message, name);
    const errors = await managed.process.count(++count, { event: "error", during: "reload" });
    assert.match(errors.at(-1)!["message"] as string, message, name);
    assert.equal(await managed.version(a), "1", name);
    await old.echo(` ${name}`);
    assert.equal(existsSync(join(managed.home, "fresh")), false, name);
    assert.equal(existsSync(join(managed.home, "o")), true, name);
    const { services } = await managed.status();
    assert.deepEqual(
      services.map((
        { endpoints, workers, state },
      ) => [endpoints, workers.map(({ pid }) => pid), state]),
      before.services.map((one) => [one.endpoints, one.workers.map(({ pid }) => pid), one.state]),
      name,
    );
  }
  managed.write(good(3));
  assert.deepEqual((await managed.reload()).changed, ["echo"]);
  assert.equal(await managed.version(a), "3");
  old.end();
  await occupied.process.stop();
  await managed.process.stop();
});

/** Half of them by the command, which takes its time to start. */
async function ctlOrAsk(managed: ManagedServer, name: string) {
  if (["gone", "syntax", "port in use"].includes(name)) {
    return await portico("ctl", "reload", "--socket", managed.control);
  }
  try {
    return { code: 0, out: JSON.stringify(await managed.reload()), err: "" };
  } catch (error) {
    return { code: 1, out: "", err: (error as Error).message };
  }
}

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
