/** A reload: what has changed is replaced, nothing else notices, and nobody is lost. */
import assert from "node:assert/strict";
import { existsSync, lstatSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { test } from "node:test";
import { Generator } from "../../bench/churn/client.ts";
import { until } from "../support/until.ts";
import { dial, join as joinUdp, knock, type Peer } from "../support/peers.ts";
import { correspondent } from "../support/room.ts";
import { asker, ctl, gone, lasting, Site, TCP, UDP } from "../support/site.ts";

const LONG = { connections: 2, everyMs: 20 };
const SHORT = { concurrency: 4, rate: 150, bytes: 512 };

test("reloads under load lose no connection, no byte and no datagram", async (t) => {
  const services = (version: number) => {
    const limits = { drain: "60s" };
    return {
      plain: lasting([TCP, UDP], version, { limits }),
      threaded: lasting(["unix:./t", "unixgram:./td"], version, {
        limits,
        concurrency: { strategy: "threads", workers: 2 },
      }),
      forked: lasting([TCP, UDP], version, {
        limits,
        concurrency: { strategy: "processes", workers: 2 },
      }),
      wandering: lasting(TCP, 0, {
        limits,
        concurrency: version % 2 === 0 ? { strategy: "async" } : {
          strategy: "processes",
          workers: 1,
        },
      }),
      steady: lasting(TCP, 0, { concurrency: { strategy: "processes", workers: 1 } }),
    };
  };
  const site = await Site.open(t, services(0));
  const generator = new Generator();
  t.after(() => generator.close());
  const streams = ["plain", "threaded", "forked", "wandering", "steady"];
  const endpoints = await Promise.all(
    streams.map((name) => site.endpoint(name, name === "threaded" ? "unix" : "tcp")),
  );
  const loads = await Promise.all(
    endpoints.map((endpoint) => generator.short({ endpoint, ...SHORT })),
  );
  const stayers = await Promise.all(
    endpoints.map((endpoint) => generator.long({ endpoint, ...LONG })),
  );
  const askers = await Promise.all([
    asker(await joinUdp(t), await site.endpoint("plain", "udp")),
    asker(await joinUdp(t), await site.endpoint("forked", "udp")),
    asker(await correspondent(t, "unixgram"), `unixgram:${join(site.home, "td")}`),
  ]);
  const steady = (await site.service("steady")).workers.map(({ pid }) => pid);
  for (let version = 1; version <= 4; version++) {
    const before = await Promise.all(loads.map((load) => load.report()));
    site.write(services(version));
    const reloaded = await site.reload();
    assert.deepEqual(reloaded.changed, ["plain", "threaded", "forked", "wandering"]);
    assert.deepEqual(reloaded.unchanged, ["steady"]);
    for (const [at, name] of streams.entries()) {
      if (name === "plain" || name === "threaded" || name === "forked") {
        assert.equal(await site.version(endpoints[at]!), `${version}`, name);
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
  assert.deepEqual((await site.service("steady")).workers.map(({ pid }) => pid), steady);
  await generator.close();
  await site.server.stop();
  assert.deepEqual(site.server.all({ event: "error" }), []);
});

test("kill -9 of workers costs the sessions inside them, and no other", async (t) => {
  const concurrency = { strategy: "processes", workers: 2 };
  const site = await Site.open(t, { echo: lasting(TCP, 0, { concurrency }) });
  const generator = new Generator();
  t.after(() => generator.close());
  const endpoint = await site.endpoint("echo", "tcp");
  const load = await generator.short({ endpoint, concurrency: 8, rate: 300, bytes: 512 });
  for (let kills = 1; kills <= 3; kills++) {
    await load.reached((await load.report()).completed + 30);
    const { workers } = await site.service("echo");
    const { pid } = workers.find(({ state }) => state === "ready")!;
    process.kill(pid, "SIGKILL");
    await site.server.record({ event: "worker", action: "exited", pid });
  }
  await load.reached((await load.report()).completed + 30);
  const report = await load.stop();
  const exits = site.server.all({ event: "worker", action: "exited" });
  const lost = exits.reduce((sum, exit) => sum + (exit["lost"] as number ?? 0), 0);
  assert.equal(exits.length, 3);
  assert.ok(report.failed <= lost, `${report.failed} of ${lost}: ${JSON.stringify(report)}`);
  assert.equal((await site.service("echo")).restarts, 3);
  await generator.close();
  await site.server.stop();
});

test("only what has changed is touched; a service may come, go, and move to another socket", async (t) => {
  const steady = lasting(["unix:./steady", TCP], 1, {
    concurrency: { strategy: "processes", workers: 1 },
  });
  const site = await Site.open(t, {
    steady,
    leaver: lasting("unix:./leaver", 1),
    mover: lasting(["unix:./mover", "unix:./old"], 1, {
      concurrency: { strategy: "threads", workers: 1 },
    }),
  });
  const place = (name: string): string => join(site.home, name);
  const workers = async () => (await site.service("steady")).workers.map(({ pid }) => pid);
  const [pids, port] = [await workers(), await site.endpoint("steady", "tcp")];
  const stays = await dial(t, `unix:${place("steady")}`);
  await stays.echo("hello");
  const leaves = await dial(t, `unix:${place("leaver")}`);
  await leaves.echo("hello");
  const inode = lstatSync(place("mover")).ino;
  site.write({
    steady,
    mover: lasting(["unix:./mover", "unix:./new"], 1, {
      concurrency: { strategy: "threads", workers: 1 },
    }),
    comer: lasting("unix:./comer", 7),
  });
  assert.deepEqual(await site.reload(), {
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
  assert.equal(await site.version(`unix:${place("comer")}`), "7");
  assert.equal(await site.version(`unix:${place("new")}`), "1");
  await leaves.echo(" and goodbye");
  leaves.end();
  await stays.echo(" again");
  assert.deepEqual([await workers(), await site.endpoint("steady", "tcp")], [pids, port]);
  const { added, changed, removed, unchanged } = await site.server.record({ event: "reload" });
  assert.deepEqual([added, changed, removed, unchanged], [["comer"], ["mover"], ["leaver"], [
    "steady",
  ]]);
  // Another name for the same socket: it is handed on, not bound twice.
  site.write({ steady, renamed: lasting(["unix:./mover", "unix:./new"], 2) });
  assert.deepEqual((await site.reload()).removed, ["mover", "comer"]);
  assert.equal(await site.version(`unix:${place("mover")}`), "2");
  assert.equal(lstatSync(place("mover")).ino, inode);
  stays.end();
  await site.server.stop();
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
  const site = Site.make(t, services);
  const write = (name: string, text: string): void => writeFileSync(join(site.home, name), text);
  write("own.js", plugin("one"));
  write("other.js", "export const other = 1;");
  await site.start();
  const told = async (): Promise<string[]> =>
    await Promise.all(
      ["a", "t", "p"].map((name) => site.told(`unix:${join(site.home, name)}`, "?\n")),
    );
  assert.deepEqual(await told(), ["one 1", "one 1", "one 1"]);
  write("own.js", plugin("two"));
  const reloaded = await site.reload();
  assert.deepEqual([reloaded.changed, reloaded.unchanged], [["a", "t", "p"], ["echo"]]);
  assert.deepEqual(await told(), ["two 1", "two 1", "two 1"]);
  write("other.js", "export const other = 2;");
  assert.deepEqual((await site.reload()).changed, ["a", "t", "p"]);
  assert.deepEqual((await told()).slice(1), ["two 2", "two 2"]);
  assert.deepEqual((await site.reload()).changed, []);
  write("own.js", plugin("one"));
  await site.reload();
  assert.deepEqual((await told()).map((text) => text.slice(0, 3)), ["one", "one", "one"]);
  await site.server.stop();
});

test("a reload that cannot be done says why and changes nothing", async (t) => {
  const good = (version: number) => ({
    echo: lasting(["unix:./a", TCP], version, {
      concurrency: { strategy: "processes", workers: 1 },
    }),
    other: lasting("unix:./o", 1),
  });
  const site = await Site.open(t, good(1));
  const occupied = await Site.open(t, { x: { plugin: "echo", listen: TCP } });
  const used = await occupied.endpoint("x", "tcp");
  const a = `unix:${join(site.home, "a")}`;
  const old = await dial(t, a);
  await old.echo("old");
  const text = readFileSync(site.file, "utf8");
  const before = await site.status();
  const wrong: Record<string, readonly [() => void, RegExp]> = {
    "gone": [() => rmSync(site.file), /no manifest|cannot be found|MANIFEST|portico\.json/],
    "cut": [
      () => writeFileSync(site.file, text.slice(0, text.length / 2)),
      /portico\.json:\d+:\d+/,
    ],
    "syntax": [() => writeFileSync(site.file, "{ services: }"), /portico\.json:1:\d+/],
    "invalid": [
      () => site.write({ echo: lasting("tpc://127.0.0.1:0", 2) }),
      /services\.echo\.listen[^]*tpc:/,
    ],
    "no plugin": [
      () => site.write({ ...good(2), more: { plugin: "./none.ts", listen: TCP } }),
      /services\.more\.plugin[^]*none\.ts/,
    ],
    "port in use": [
      () => site.write({ ...good(2), echo: lasting(["unix:./a", "unix:./fresh", used], 2) }),
      new RegExp(`"echo": [^]*${used.slice(6)}`),
    ],
    "port in use by the last": [
      () => site.write({ ...good(2), more: lasting(["unix:./fresh", used], 1) }),
      /"more": /,
    ],
    "start throws": [
      () => site.write({ ...good(2), other: lasting("unix:./o", 1, { options: { fails: true } }) }),
      /"other": [^]*nothing works today/,
    ],
    "a worker's start throws": [
      () => site.write({ echo: { ...good(2).echo, options: { fails: true } } }),
      /"echo": [^]*nothing works today/,
    ],
    "control": [() => site.write(good(2), { control: "unix:./d" }), /control cannot be changed/],
  };
  let count = 0;
  for (const [name, [spoil, message]] of Object.entries(wrong)) {
    spoil();
    const { code, out, err } = await ctlOrAsk(site, name);
    assert.equal(code, 1, `${name}: ${out}${err}`);
    assert.match(err, message, name);
    const errors = await site.server.count(++count, { event: "error", during: "reload" });
    assert.match(errors.at(-1)!["message"] as string, message, name);
    assert.equal(await site.version(a), "1", name);
    await old.echo(` ${name}`);
    assert.equal(existsSync(join(site.home, "fresh")), false, name);
    assert.equal(existsSync(join(site.home, "o")), true, name);
    const { services } = await site.status();
    assert.deepEqual(
      services.map((
        { endpoints, workers, state },
      ) => [endpoints, workers.map(({ pid }) => pid), state]),
      before.services.map((one) => [one.endpoints, one.workers.map(({ pid }) => pid), one.state]),
      name,
    );
  }
  site.write(good(3));
  assert.deepEqual((await site.reload()).changed, ["echo"]);
  assert.equal(await site.version(a), "3");
  old.end();
  await occupied.server.stop();
  await site.server.stop();
});

/** Half of them by the command, which takes its time to start. */
async function ctlOrAsk(site: Site, name: string) {
  if (["gone", "syntax", "port in use"].includes(name)) {
    return await ctl("reload", "--socket", site.control);
  }
  try {
    return { code: 0, out: JSON.stringify(await site.reload()), err: "" };
  } catch (error) {
    return { code: 1, out: "", err: (error as Error).message };
  }
}

test("SIGHUP and --watch reload too; log files are opened anew, and sinks change", async (t) => {
  const services = (version: number, file: string) => ({
    echo: lasting("unix:./a", version, { log: { type: "file", path: `./${file}` } }),
    other: lasting("unix:./o", 1),
  });
  const site = Site.make(t, services(1, "one.log"));
  await site.start(site.home, "--watch");
  const path = (name: string): string => join(site.home, name);
  const a = `unix:${path("a")}`;
  const lines = (name: string): number =>
    readFileSync(path(name), "utf8").trim().split("\n").length;
  const text = (name: string): string =>
    existsSync(path(name)) ? readFileSync(path(name), "utf8") : "";
  // A file that is put in the place of the manifest.
  const next = path("next");
  site.write(services(2, "one.log"));
  renameSync(site.file, next);
  renameSync(next, site.file);
  await site.server.record({ event: "reload" });
  assert.equal(await site.version(a), "2");
  assert.ok(lines("one.log") > 0);
  // Rotation: without a change of the manifest.
  renameSync(path("one.log"), path("one.log.1"));
  site.server.signal("SIGHUP");
  await site.server.count(2, { event: "reload" });
  await site.version(a);
  await until("a record in the new file", () => text("one.log").includes('"open"'));
  const stays = await dial(t, a);
  await stays.echo("in the old one");
  site.write(services(2, "two.log"));
  await site.server.count(3, { event: "reload" });
  await site.version(a);
  await until("a record in the other file", () => text("two.log").includes('"open"'));
  // A session of before goes on with the log of before.
  stays.end();
  await stays.over();
  await site.server.stop();
  assert.match(text("one.log").trim().split("\n").at(-1)!, /"close"|"stop"/);
  assert.match(text("one.log"), /"bytesIn":14/);
});

test("two reloads at once are done one after the other", async (t) => {
  const concurrency = { strategy: "processes", workers: 1 };
  const site = await Site.open(t, { echo: lasting("unix:./a", 1, { concurrency }) });
  site.write({ echo: lasting("unix:./a", 2, { concurrency }) });
  const results = await Promise.all([site.reload(), site.reload(), site.reload()]);
  assert.deepEqual(results.map(({ changed }) => changed.length).toSorted(), [0, 0, 1]);
  assert.equal(await site.version(`unix:${join(site.home, "a")}`), "2");
  await site.server.stop();
});

test("nothing is reloaded any more by a server that drains; a drain of one service goes on", async (t) => {
  const site = await Site.open(t, { echo: lasting("unix:./a", 1), other: lasting("unix:./o", 1) });
  const peer = await dial(t, `unix:${join(site.home, "a")}`);
  await peer.echo("hello");
  const draining = site.ask("drain", { service: "echo" });
  await site.server.record({ event: "drain", service: "echo" });
  site.write({ echo: lasting("unix:./a", 1), other: lasting("unix:./o", 2) });
  assert.deepEqual((await site.reload()).changed, ["other"]);
  assert.equal((await site.service("echo")).state, "draining");
  peer.end();
  assert.deepEqual(await draining, ["echo"]);
  const last = await dial(t, `unix:${join(site.home, "o")}`);
  await last.echo("hello");
  site.server.signal("SIGTERM");
  await site.server.record({ event: "drain", service: "other" });
  site.write({ echo: lasting("unix:./a", 3), more: lasting("unix:./more", 1) });
  await assert.rejects(site.reload(), /ending/);
  assert.equal(existsSync(join(site.home, "more")), false);
  last.end();
  assert.equal(await site.server.ended(), 0);
});

for (
  const concurrency of [
    { strategy: "async", max: 2 },
    { strategy: "processes", workers: 1, max: 2 },
  ]
) {
  test(`counts and limits hold over a reload (${concurrency.strategy})`, async (t) => {
    const echo = (version: number) =>
      lasting("unix:./a", version, { concurrency, limits: { sessions: 4, drain: "60s" } });
    const site = await Site.open(t, { echo: echo(1) });
    const a = `unix:${join(site.home, "a")}`;
    const open = async (text: string): Promise<Peer> => {
      const peer = await dial(t, a);
      peer.send(text);
      return peer;
    };
    const old = [await open("version?\n"), await open("version?\n")];
    for (const peer of old) await peer.hears("1\n");
    const held = await open("version?\n");
    await site.until("echo", ({ held }) => held === 1);
    site.write({ echo: echo(2) });
    assert.deepEqual((await site.reload()).changed, ["echo"]);
    const fresh = await open("version?\n");
    await site.until("echo", ({ held }) => held === 2);
    const { live, held: waiting } = await site.service("echo");
    assert.deepEqual([live, waiting], [4, 2], "both generations together");
    const fifth = await dial(t, a);
    await fifth.over();
    assert.equal((await site.server.record({ event: "refuse" }))["limit"], "sessions");
    assert.equal(fresh.received + held.received, 0, "max holds over both");
    old[0]!.end();
    // Who was held during the reload is served, by the code that let it in, and before the newcomer.
    await held.hears("1\n");
    assert.equal(fresh.received, 0);
    old[1]!.end();
    await fresh.hears("2\n");
    held.end();
    fresh.end();
    await site.server.count(4, { event: "close" });
    const { bytesIn, refused, ...after } = await site.service("echo");
    assert.deepEqual([after.live, after.served, refused, bytesIn], [0, 4, 1, 36]);
    await site.server.stop();
  });
}

test("workers of a generation end with their last session", async (t) => {
  const concurrency = { strategy: "processes", workers: 1 };
  const site = await Site.open(t, { echo: lasting("unix:./a", 1, { concurrency }) });
  const a = `unix:${join(site.home, "a")}`;
  const peer = await dial(t, a);
  peer.send("pid?\n");
  await peer.when("a pid", () => peer.text.endsWith("\n"));
  const pid = Number(peer.text);
  site.write({ echo: lasting("unix:./a", 2, { concurrency }) });
  await site.reload();
  const { workers } = await site.service("echo");
  assert.deepEqual(
    workers.map((one) => [one.pid === pid, one.live]).toSorted(),
    [[false, 0], [true, 1]],
    "both are shown",
  );
  peer.end();
  await gone(pid);
  await site.server.stop();
});
