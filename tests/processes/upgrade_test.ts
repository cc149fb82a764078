/** An upgrade: a successor, perhaps on another runtime, takes the sockets over, and nobody notices. */
import assert from "node:assert/strict";
import { chmodSync, existsSync, lstatSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { delimiter, dirname, join } from "node:path";
import process from "node:process";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { Generator } from "../../bench/churn/client.ts";
import { Supervisor } from "../../runtime/daemon/supervisor.ts";
import { MAIN, portico } from "../support/command.ts";
import { askRepeatedly, ManagedServer, TCP, UDP, versioned } from "../support/managed-server.ts";
import { askOnce, dial, openDatagrams, openUdp } from "../support/peers.ts";
import { gone, runs, sendSignal } from "../support/proc.ts";
import { until } from "../support/until.ts";

const PROGRAM = fileURLToPath(new URL("../../adapters/program.ts", import.meta.url).href);
const LONG = { connections: 2, everyMs: 20 };
const SHORT = { concurrency: 4, rate: 120, bytes: 512 };

test("upgrades across runtimes under load lose no connection, no byte and no datagram", async (t) => {
  const limits = { drain: "60s" };
  const managed = await ManagedServer.start(t, {
    plain: versioned([TCP, UDP], 0, { limits }),
    threaded: versioned(["unix:./t", "unixgram:./td"], 0, {
      limits,
      concurrency: { strategy: "threads", workers: 2 },
    }),
    forked: versioned([TCP, UDP], 0, {
      limits,
      concurrency: { strategy: "processes", workers: 2 },
    }),
  });
  const file = (name: string): string => join(managed.home, name);
  const generator = new Generator();
  t.after(() => generator.close());
  const endpoints = [
    await managed.endpoint("plain", "tcp"),
    `unix:${file("t")}`,
    await managed.endpoint("forked", "tcp"),
  ];
  const inodes = ["c", "t", "td"].map((name) => lstatSync(file(name)).ino);
  const askers = [
    askRepeatedly(await openUdp(t), await managed.endpoint("plain", "udp")),
    askRepeatedly(await openUdp(t), await managed.endpoint("forked", "udp")),
    askRepeatedly(await openDatagrams(t, "unixgram"), `unixgram:${file("td")}`),
  ];
  const loads = await Promise.all(
    endpoints.map((endpoint) => generator.short({ endpoint, ...SHORT })),
  );
  const stayers = [];
  const left: number[] = [];
  for (const to of ["bun", "deno", "node"] as const) {
    stayers.push(
      ...await Promise.all(endpoints.map((endpoint) => generator.long({ endpoint, ...LONG }))),
    );
    const { pid, services } = await managed.status();
    left.push(pid, ...services.flatMap(({ workers }) => workers.map((worker) => worker.pid)));
    const successor = await managed.upgrade(to);
    const status = await managed.status();
    assert.equal(status.pid, successor, "the control socket is the successor's");
    assert.equal(status.runtime.split(" ")[0], to);
    const before = await Promise.all(loads.map((load) => load.report()));
    await Promise.all(loads.map((load, at) => load.reached(before[at]!.completed + 30)));
  }
  for (const [at, load] of loads.entries()) {
    const report = await load.stop();
    assert.deepEqual(
      [report.failed, report.missingBytes, report.wrongBytes],
      [0, 0, 0],
      `${endpoints[at]}: ${JSON.stringify(report)}`,
    );
  }
  for (const [at, stayer] of stayers.entries()) {
    const report = await stayer.stop();
    assert.deepEqual(
      [report.broken, report.lost, report.alive],
      [0, 0, LONG.connections],
      `${endpoints[at % 3]}: ${JSON.stringify(report)}`,
    );
  }
  for (const { stop } of askers) assert.ok(await stop() > 10);
  await generator.close();
  // Nobody has sessions any more: all those that came before are gone, with their workers.
  assert.equal(await managed.process.exited(), 0);
  await gone(left);
  assert.deepEqual(["c", "t", "td"].map((name) => lstatSync(file(name)).ino), inodes);
  assert.deepEqual(managed.process.all({ event: "error" }), []);
  const { pid } = await managed.status();
  await managed.ask("stop", {}, { toTheEnd: true });
  await gone([pid]);
  await managed.process.ended();
  assert.deepEqual(["c", "t", "td"].filter((name) => existsSync(file(name))), []);
  assert.equal(managed.process.errors, "");
});

test("upgrade by command: the same runtime, another manifest; what it has no more is removed", async (t) => {
  const services = {
    echo: versioned(["unix:./a", "unix:./b"], 1, {
      concurrency: { strategy: "processes", workers: 1 },
    }),
  };
  const managed = await ManagedServer.start(t, services);
  const peer = await dial(t, `unix:${join(managed.home, "a")}`);
  await peer.echo("hello");
  managed.write({ other: versioned(["unix:./a", "unix:./n"], 2) }, { control: "unix:./d" });
  managed.setControl("d");
  const { code, out, err } = await portico("ctl", "upgrade", "--socket", join(managed.home, "c"));
  assert.equal(code, 0, err);
  const pid = Number(/process (\d+) has taken over/.exec(out)?.[1]);
  managed.track(pid);
  assert.equal((await managed.status()).pid, pid);
  assert.deepEqual(
    ["a", "b", "n", "c", "d"].filter((name) => existsSync(join(managed.home, name))),
    ["a", "n", "d"],
  );
  assert.equal(await managed.version(`unix:${join(managed.home, "a")}`), "2");
  await peer.echo(" again");
  assert.equal(runs(managed.process.pid), true, "it drains");
  peer.end();
  assert.equal(await managed.process.exited(), 0);
  await managed.version(`unix:${join(managed.home, "a")}`);
  sendSignal(pid, "SIGTERM");
  await managed.process.ended();
  assert.deepEqual(["a", "b", "n", "d"].filter((name) => existsSync(join(managed.home, name))), []);
});

test("an upgrade that fails says why, and the server goes on", async (t) => {
  const echo = versioned(["unix:./a", TCP], 1, {
    concurrency: { strategy: "processes", workers: 1 },
  });
  const managed = await ManagedServer.start(t, { echo });
  const a = `unix:${join(managed.home, "a")}`;
  const peer = await dial(t, a);
  await peer.echo("hello");
  const before = await managed.status();
  const fails = async (
    message: RegExp,
    run: () => Promise<{ code: number | null; err: string }>,
  ) => {
    const { code, err } = await run();
    assert.equal(code, 1, err);
    assert.match(err, message);
    const status = await managed.status();
    assert.deepEqual(
      [status.pid, status.services[0]!.workers.map(({ pid }) => pid)],
      [before.pid, before.services[0]!.workers.map(({ pid }) => pid)],
    );
    assert.equal(await managed.version(a), "1");
    await peer.echo("!");
  };
  const asked = (to?: "node" | "bun" | "deno") => async () => {
    try {
      await managed.upgrade(to);
      return { code: 0, err: "" };
    } catch (error) {
      return { code: 1, err: (error as Error).message };
    }
  };
  managed.write({ echo: { ...echo, listen: "tpc://127.0.0.1:0" } });
  await fails(
    /the server refuses[^]*did not start: [^]*services\.echo\.listen/,
    () => portico("ctl", "upgrade", "--socket", managed.control),
  );
  managed.write({ echo: { ...echo, options: { fails: true } } });
  await fails(/did not start: service "echo": [^]*nothing works today/, asked());
  const errors = managed.process.all({ event: "error", during: "upgrade" });
  assert.match(errors.at(-1)!["message"] as string, /nothing works today/);
  // After all that, one that works.
  managed.write({ echo: { ...echo, options: { version: 2 } } });
  const pid = await managed.upgrade();
  // It is the successor that is asked, from now on; its predecessor accepts no more.
  for (let times = 0; times < 10; times++) assert.equal(await managed.version(a), "2");
  peer.end();
  assert.equal(await managed.process.exited(), 0);
  sendSignal(pid, "SIGTERM");
  await managed.process.ended();
  assert.equal(existsSync(join(managed.home, "a")), false);
});

test("a successor that is killed before it is ready, or is not wanted any more, is none", async (t) => {
  const managed = ManagedServer.prepare(t, {
    echo: {
      plugin: "./slow.js",
      listen: "unix:./a",
      limits: { start: "60s" },
    },
  });
  // The first start is done at once, further ones wait, and say who they are.
  writeFileSync(
    join(managed.home, "slow.js"),
    `import { appendFileSync, existsSync, writeFileSync } from "node:fs";
     const [first, pids] = [new URL("./first", import.meta.url), new URL("./pids", import.meta.url)];
     export default { name: "slow", transports: ["stream"], start() {
       if (existsSync(first)) { appendFileSync(pids, process.pid + "\\n"); return new Promise(() => {}); }
       writeFileSync(first, "");
       return { data: (session, chunk) => void session.write(chunk) };
     } };`,
  );
  await managed.start();
  const pids = (): number[] => {
    const path = join(managed.home, "pids");
    // A line that is whole: the file is there before its first byte.
    const lines = existsSync(path) ? readFileSync(path, "utf8").split("\n").slice(0, -1) : [];
    return lines.map(Number);
  };
  const a = `unix:${join(managed.home, "a")}`;
  const killed = managed.upgrade();
  killed.catch(() => {});
  await until("a successor", () => pids().length === 1);
  sendSignal(pids()[0]!, "SIGKILL");
  await assert.rejects(killed, /did not start: it ended before it was ready/);
  assert.equal(await askOnce(t, a, "hello"), "hello");
  // SIGTERM while it waits for another one: nobody goes on.
  const unwanted = managed.upgrade();
  unwanted.catch(() => {});
  await until("another successor", () => pids().length === 2);
  managed.process.signal("SIGTERM");
  await assert.rejects(unwanted, /this server is ending|before it answered/);
  assert.equal(await managed.process.ended(), 0);
  await gone([pids()[1]!]);
  assert.equal(existsSync(join(managed.home, "a")), false);
});

test("a runtime that is not there is named; process 1 has no successor", async (t) => {
  const { commandOn } = await import("../../adapters/program.ts");
  const path = process.env["PATH"] ?? "";
  t.after(() => process.env["PATH"] = path);
  assert.match(commandOn("bun", MAIN, ["run"])[0], /bun$/);
  const managed = ManagedServer.prepare(t, {});
  mkdirSync(join(managed.home, "runtime"));
  // A copy of the package has no node_modules beside it.
  const copy = join(managed.home, "adapters", "program.ts");
  mkdirSync(dirname(copy));
  const source = readFileSync(PROGRAM, "utf8");
  const errors = new URL("../../runtime/core/errors.ts", import.meta.url).href;
  writeFileSync(copy, source.replace("../runtime/core/errors.ts", errors));
  const copied = await import(copy) as typeof import("../../adapters/program.ts");
  process.env["PATH"] = [managed.home, join(managed.home, "none")].join(delimiter);
  assert.throws(() => copied.commandOn("bun", MAIN, []), {
    code: "NOT_SUPPORTED",
    message: /there is no bun: looked for it in node_modules\/\.bin and on the PATH/,
  });
  writeFileSync(join(managed.home, "bun"), "");
  chmodSync(join(managed.home, "bun"), 0o755);
  assert.equal(copied.commandOn("bun", "/m.ts", ["run"])[0], join(managed.home, "bun"));

  const manifest = { source: { file: "" }, services: [] };
  const supervisor = new Supervisor({ pid: 1, words: [] } as never, manifest as never);
  supervisor.began([], undefined);
  await assert.rejects(supervisor.upgrade("bun"), { code: "NOT_SUPPORTED", message: /process 1/ });
});
