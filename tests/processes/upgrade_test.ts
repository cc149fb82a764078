/** An upgrade: a successor, perhaps on another runtime, takes the sockets over, and nobody notices. */
import assert from "node:assert/strict";
import { chmodSync, existsSync, lstatSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { delimiter, dirname, join } from "node:path";
import process from "node:process";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { Generator } from "../../bench/churn/client.ts";
import { Supervisor } from "../../runtime/daemon/supervisor.ts";
import { MAIN } from "../support/command.ts";
import { until } from "../support/until.ts";
import { dial, join as joinUdp } from "../support/peers.ts";
import { correspondent } from "../support/room.ts";
import { asker, ctl, gone, isThere, lasting, Site, TCP, UDP } from "../support/site.ts";

const PROGRAM = fileURLToPath(new URL("../../adapters/program.ts", import.meta.url).href);
const LONG = { connections: 2, everyMs: 20 };
const SHORT = { concurrency: 4, rate: 120, bytes: 512 };

test("upgrades across runtimes under load lose no connection, no byte and no datagram", async (t) => {
  const limits = { drain: "60s" };
  const site = await Site.open(t, {
    plain: lasting([TCP, UDP], 0, { limits }),
    threaded: lasting(["unix:./t", "unixgram:./td"], 0, {
      limits,
      concurrency: { strategy: "threads", workers: 2 },
    }),
    forked: lasting([TCP, UDP], 0, {
      limits,
      concurrency: { strategy: "processes", workers: 2 },
    }),
  });
  const file = (name: string): string => join(site.home, name);
  const generator = new Generator();
  t.after(() => generator.close());
  const endpoints = [
    await site.endpoint("plain", "tcp"),
    `unix:${file("t")}`,
    await site.endpoint("forked", "tcp"),
  ];
  const inodes = ["c", "t", "td"].map((name) => lstatSync(file(name)).ino);
  const askers = [
    asker(await joinUdp(t), await site.endpoint("plain", "udp")),
    asker(await joinUdp(t), await site.endpoint("forked", "udp")),
    asker(await correspondent(t, "unixgram"), `unixgram:${file("td")}`),
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
    const { pid, services } = await site.status();
    left.push(pid, ...services.flatMap(({ workers }) => workers.map((worker) => worker.pid)));
    const successor = await site.upgrade(to);
    const status = await site.status();
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
  assert.equal(await site.server.exited(), 0);
  await Promise.all(left.map(gone));
  assert.deepEqual(["c", "t", "td"].map((name) => lstatSync(file(name)).ino), inodes);
  assert.deepEqual(site.server.all({ event: "error" }), []);
  const { pid } = await site.status();
  await site.ask("stop", {}, { toTheEnd: true });
  await gone(pid);
  await site.server.ended();
  assert.deepEqual(["c", "t", "td"].filter((name) => existsSync(file(name))), []);
  assert.equal(site.server.errors, "");
});

test("upgrade by command: the same runtime, another manifest; what it has no more is removed", async (t) => {
  const services = {
    echo: lasting(["unix:./a", "unix:./b"], 1, {
      concurrency: { strategy: "processes", workers: 1 },
    }),
  };
  const site = await Site.open(t, services);
  const peer = await dial(t, `unix:${join(site.home, "a")}`);
  await peer.echo("hello");
  site.write({ other: lasting(["unix:./a", "unix:./n"], 2) }, { control: "unix:./d" });
  site.moved("d");
  const { code, out, err } = await ctl("upgrade", "--socket", join(site.home, "c"));
  assert.equal(code, 0, err);
  const pid = Number(/process (\d+) has taken over/.exec(out)?.[1]);
  site.knows(pid);
  assert.equal((await site.status()).pid, pid);
  assert.deepEqual(
    ["a", "b", "n", "c", "d"].filter((name) => existsSync(join(site.home, name))),
    ["a", "n", "d"],
  );
  assert.equal(await site.version(`unix:${join(site.home, "a")}`), "2");
  await peer.echo(" again");
  assert.equal(isThere(site.server.pid), true, "it drains");
  peer.end();
  assert.equal(await site.server.exited(), 0);
  await site.version(`unix:${join(site.home, "a")}`);
  process.kill(pid, "SIGTERM");
  await site.server.ended();
  assert.deepEqual(["a", "b", "n", "d"].filter((name) => existsSync(join(site.home, name))), []);
});

test("an upgrade that fails says why, and the server goes on", async (t) => {
  const echo = lasting(["unix:./a", TCP], 1, {
    concurrency: { strategy: "processes", workers: 1 },
  });
  const site = await Site.open(t, { echo });
  const a = `unix:${join(site.home, "a")}`;
  const peer = await dial(t, a);
  await peer.echo("hello");
  const before = await site.status();
  const fails = async (
    message: RegExp,
    run: () => Promise<{ code: number | null; err: string }>,
  ) => {
    const { code, err } = await run();
    assert.equal(code, 1, err);
    assert.match(err, message);
    const status = await site.status();
    assert.deepEqual(
      [status.pid, status.services[0]!.workers.map(({ pid }) => pid)],
      [before.pid, before.services[0]!.workers.map(({ pid }) => pid)],
    );
    assert.equal(await site.version(a), "1");
    await peer.echo("!");
  };
  const asked = (to?: "node" | "bun" | "deno") => async () => {
    try {
      await site.upgrade(to);
      return { code: 0, err: "" };
    } catch (error) {
      return { code: 1, err: (error as Error).message };
    }
  };
  site.write({ echo: { ...echo, listen: "tpc://127.0.0.1:0" } });
  await fails(
    /the server refuses[^]*did not start: [^]*services\.echo\.listen/,
    () => ctl("upgrade", "--socket", site.control),
  );
  site.write({ echo: { ...echo, options: { fails: true } } });
  await fails(/did not start: service "echo": [^]*nothing works today/, asked());
  const errors = site.server.all({ event: "error", during: "upgrade" });
  assert.match(errors.at(-1)!["message"] as string, /nothing works today/);
  // After all that, one that works.
  site.write({ echo: { ...echo, options: { version: 2 } } });
  const pid = await site.upgrade();
  // It is the successor that is asked, from now on; its predecessor accepts no more.
  for (let times = 0; times < 10; times++) assert.equal(await site.version(a), "2");
  peer.end();
  assert.equal(await site.server.exited(), 0);
  process.kill(pid, "SIGTERM");
  await site.server.ended();
  assert.equal(existsSync(join(site.home, "a")), false);
});

test("a successor that is killed before it is ready, or is not wanted any more, is none", async (t) => {
  const site = Site.make(t, {
    echo: {
      plugin: "./slow.js",
      listen: "unix:./a",
      limits: { start: "60s" },
    },
  });
  // The first start is done at once, further ones wait, and say who they are.
  writeFileSync(
    join(site.home, "slow.js"),
    `import { appendFileSync, existsSync, writeFileSync } from "node:fs";
     const [first, pids] = [new URL("./first", import.meta.url), new URL("./pids", import.meta.url)];
     export default { name: "slow", transports: ["stream"], start() {
       if (existsSync(first)) { appendFileSync(pids, process.pid + "\\n"); return new Promise(() => {}); }
       writeFileSync(first, "");
       return { data: (session, chunk) => void session.write(chunk) };
     } };`,
  );
  await site.start();
  const pids = (): number[] => {
    const path = join(site.home, "pids");
    return existsSync(path) ? readFileSync(path, "utf8").trim().split("\n").map(Number) : [];
  };
  const a = `unix:${join(site.home, "a")}`;
  const killed = site.upgrade();
  killed.catch(() => {});
  await until("a successor", () => pids().length === 1);
  process.kill(pids()[0]!, "SIGKILL");
  await assert.rejects(killed, /did not start: it ended before it was ready/);
  assert.equal(await site.told(a, "hello\n"), "hello");
  // SIGTERM while it waits for another one: nobody goes on.
  const unwanted = site.upgrade();
  unwanted.catch(() => {});
  await until("another successor", () => pids().length === 2);
  site.server.signal("SIGTERM");
  await assert.rejects(unwanted, /this server is ending|before it answered/);
  assert.equal(await site.server.ended(), 0);
  await gone(pids()[1]!);
  assert.equal(existsSync(join(site.home, "a")), false);
});

test("a runtime that is not there is named; process 1 has no successor", async (t) => {
  const { commandOn } = await import("../../adapters/program.ts");
  const path = process.env["PATH"] ?? "";
  t.after(() => process.env["PATH"] = path);
  assert.match(commandOn("bun", MAIN, ["run"])[0], /bun$/);
  const site = Site.make(t, {});
  mkdirSync(join(site.home, "runtime"));
  // A copy of the package has no node_modules beside it.
  const copy = join(site.home, "adapters", "program.ts");
  mkdirSync(dirname(copy));
  const source = readFileSync(PROGRAM, "utf8");
  const errors = new URL("../../runtime/core/errors.ts", import.meta.url).href;
  writeFileSync(copy, source.replace("../runtime/core/errors.ts", errors));
  const copied = await import(copy) as typeof import("../../adapters/program.ts");
  process.env["PATH"] = [site.home, join(site.home, "none")].join(delimiter);
  assert.throws(() => copied.commandOn("bun", MAIN, []), {
    code: "NOT_SUPPORTED",
    message: /there is no bun: looked for it in node_modules\/\.bin and on the PATH/,
  });
  writeFileSync(join(site.home, "bun"), "");
  chmodSync(join(site.home, "bun"), 0o755);
  assert.equal(copied.commandOn("bun", "/m.ts", ["run"])[0], join(site.home, "bun"));

  const manifest = { source: { file: "" }, services: [] };
  const supervisor = new Supervisor({ pid: 1 } as never, manifest as never);
  supervisor.began([], undefined);
  await assert.rejects(supervisor.upgrade("bun"), { code: "NOT_SUPPORTED", message: /process 1/ });
});
