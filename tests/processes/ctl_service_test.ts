/** `portico ctl health`, `restart` and `logs`, under every strategy. */
import assert from "node:assert/strict";
import { existsSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { command, MAIN, portico } from "../support/command.ts";
import { ManagedServer, TCP, UDP, versioned } from "../support/managed-server.ts";
import { dial } from "../support/peers.ts";
import { probe } from "../support/probe.ts";
import { Program } from "../support/program.ts";
import { lackingStrategy, lackingWorkers, SAMPLE } from "../support/strategies.ts";
import { sendSignal } from "../support/proc.ts";

/** `portico ctl logs`, until it is over. */
function logs(t: TestContext, managed: ManagedServer, ...words: readonly string[]): Program {
  const [program, all] = command(MAIN, "ctl", "logs", "--manifest", managed.file, ...words);
  return new Program(t, ".", program, ...all);
}

test("health has a line for each service, and ends with 1 unless all is well", async (t) => {
  const managed = await ManagedServer.start(t, {
    one: versioned(TCP, 1),
    two: versioned(TCP, 1),
  });
  assert.deepEqual(await managed.ctl("health"), {
    code: 0,
    out: "one  running\ntwo  running\n",
    err: "",
  });
  await managed.ask("suspend", { service: "two" });
  assert.deepEqual(await managed.ctl("health"), {
    code: 1,
    out: "one  running\ntwo  suspended\n",
    err: "",
  });
  const json = await managed.ctl("health", "--json");
  assert.equal(json.code, 1);
  assert.deepEqual(JSON.parse(json.out), {
    well: false,
    state: "running",
    services: { one: "running", two: "suspended" },
  });
  assert.equal((await managed.ctl("health", "one")).code, 0);
  assert.equal((await managed.ctl("health", "two")).code, 1);
  const unknown = await managed.ctl("health", "tow");
  assert.equal(unknown.code, 2);
  assert.match(unknown.err, /did you mean "two"/);
  await managed.ask("stop", { service: "two" });
  assert.match((await managed.ctl("health")).out, /two {2}stopped/);
  // It ends, and has a session still: then it is not well either.
  const peer = await dial(t, await managed.endpoint("one", "tcp"));
  await peer.echo("hello");
  managed.process.signal("SIGTERM");
  await managed.process.record({ event: "drain" });
  const ending = await managed.ctl("health");
  assert.equal(ending.code, 1);
  assert.match(ending.out, /^server {2}draining\n/);
  peer.end();
  assert.equal(await managed.process.ended(), 0);
  const nobody = await managed.ctl("health");
  assert.equal(nobody.code, 1);
  assert.match(nobody.err, /no server is running there/);
});

for (const strategy of SAMPLE) {
  const skip = lackingStrategy(strategy) || lackingWorkers;
  const service = (version = 1, more: object = {}) =>
    versioned([TCP, UDP], version, { concurrency: strategy, ...more });

  test(`${strategy}: restart starts a service anew, on its sockets, and nobody is refused`, {
    skip,
  }, async (t) => {
    const book = join((await ManagedServer.prepare(t, {})).home, "book");
    const managed = await ManagedServer.start(t, {
      echo: service(1, { options: { version: 1, book } }),
      other: versioned(TCP, 1),
    });
    const at = await managed.endpoint("echo", "tcp");
    const old = strategy === "serial" ? undefined : await dial(t, at);
    await old?.echo("before");
    let asking = true;
    let count = 0;
    const asked = (async () => {
      while (asking || count < 5) {
        assert.equal(await managed.version(at), "1");
        count++;
      }
    })();
    assert.deepEqual(await managed.ctl("restart", "echo"), {
      code: 0,
      out: "restart: echo\n",
      err: "",
    });
    await old?.echo("still");
    old?.end();
    asking = false;
    await asked;
    assert.ok(existsSync(book), "the plugin was started");
    assert.equal(await managed.endpoint("echo", "tcp"), at);
    const record = await managed.process.record({ event: "reload" });
    assert.deepEqual([record.service, record["restarted"]], ["echo", true]);
    assert.equal(managed.process.all({ event: "listening", service: "other" }).length, 1);
    // Suspended, then stopped: it runs again.
    await managed.ask("suspend", { service: "echo" });
    await managed.ask("restart", { service: "echo" });
    assert.equal((await managed.service("echo")).state, "running");
    assert.equal(await managed.version(at), "1");
    await managed.ask("stop", { service: "echo" });
    assert.equal((await managed.service("echo")).state, "stopped");
    await managed.ask("restart", { service: "echo" });
    assert.equal((await managed.service("echo")).state, "running");
    assert.equal(await managed.version(await managed.endpoint("echo", "tcp")), "1");
    assert.deepEqual(managed.process.all({ event: "error" }), []);
    await managed.process.stop();
  });

  test(`${strategy}: logs shows what no sink wants, from whoever serves, as long as it reads`, {
    skip,
  }, async (t) => {
    const managed = await ManagedServer.start(
      t,
      { keep: versioned(TCP, 1, { log: "json" }), echo: service(1, { log: "none" }) },
    );
    const reader = logs(t, managed, "echo", "--level", "debug", "--lines", "2");
    const at = await managed.endpoint("echo", "tcp");
    // The last ones come when it reads already.
    await reader.says("listening on udp:");
    const peer = await dial(t, at);
    await peer.echo("hello");
    await reader.says(" open from tcp:");
    peer.end();
    await reader.says("closed by the peer");
    // A plugin's own words come from its worker.
    await reader.says("over why=");
    await managed.process.stop();
    await reader.ended();
    assert.equal(reader.code, 0, reader.errors);
    assert.doesNotMatch(reader.text, / keep /);
    assert.equal(reader.errors, "");
  });
}

test("restart of one that has failed starts it again; one that cannot be started stays as it is", {
  skip: lackingWorkers,
}, async (t) => {
  const managed = ManagedServer.prepare(t, {});
  const broken = join(managed.home, "broken");
  managed.write({ bad: probe({ strategy: "processes", workers: 2 }, { broken }) });
  await managed.start();
  writeFileSync(broken, "");
  const no = await managed.ctl("restart", "bad");
  assert.equal(no.code, 1);
  assert.match(no.err, /the server refuses[^]*service "bad": .*nothing works today/);
  assert.equal((await managed.service("bad")).state, "running", "the old one goes on");
  const error = await managed.process.record({ event: "error", during: "restart" });
  assert.equal(error.service, "bad");
  for (const { pid } of (await managed.service("bad")).workers) sendSignal(pid, "SIGKILL");
  await managed.process.record({ event: "suspend", service: "bad" });
  const { code, out } = await managed.ctl("health");
  assert.deepEqual([code, out], [1, "bad  failed\n"]);
  const kept = await managed.ctl("logs", "--no-follow", "--level", "error");
  assert.match(kept.out, /error +bad .*nothing works today/);
  rmSync(broken);
  assert.equal((await managed.ctl("restart", "bad")).code, 0);
  assert.equal((await managed.ctl("health")).code, 0);
});

test("restart and reload come one after the other", async (t) => {
  const managed = await ManagedServer.start(t, { echo: versioned(TCP, 1) });
  const at = await managed.endpoint("echo", "tcp");
  managed.write({ echo: versioned(TCP, 2) });
  await Promise.all([
    managed.ask("restart", { service: "echo" }),
    managed.reload(),
    managed.ask("suspend", { service: "echo" }),
    managed.ask("restart", { service: "echo" }),
    managed.ask("resume", { service: "echo" }),
  ]);
  assert.equal((await managed.service("echo")).state, "running");
  assert.equal(await managed.version(at), "2");
  await managed.process.stop();
});

test(
  "logs follows an upgrade, and ends with the successor",
  { skip: lackingWorkers },
  async (t) => {
    const managed = await ManagedServer.start(t, { echo: versioned(TCP, 1) });
    writeFileSync(managed.file, "{");
    await assert.rejects(managed.reload());
    managed.write({ echo: versioned(TCP, 2) });
    const kept = await managed.ctl("logs", "--no-follow", "--json", "--level", "error");
    const records = kept.out.trimEnd().split("\n").map((line) => JSON.parse(line));
    assert.deepEqual(records.map(({ code, during }) => [code, during]), [
      ["MANIFEST_SYNTAX", "reload"],
    ]);
    const none = await managed.ctl("logs", "--no-follow", "--lines", "0");
    assert.deepEqual([none.code, none.out], [0, ""]);
    const wrong = await managed.ctl("logs", "--lines", "many");
    assert.equal(wrong.code, 2);
    assert.match(wrong.err, /--lines "many"\n.*a whole number/);
    const reader = logs(t, managed);
    await reader.says("ready");
    const pid = await managed.upgrade();
    await reader.says(`process ${pid}\n`);
    await managed.ask("stop", {}, { toTheEnd: true });
    await reader.ended();
    assert.equal(reader.code, 0, reader.errors);
    assert.match(reader.text, /stop reason=control\n$/);
  },
);

test("logs into a pipe that is closed ends in silence", async (t) => {
  const managed = await ManagedServer.start(t, { echo: versioned(TCP, 1) });
  const [program, words] = command(MAIN, "ctl", "logs", "--manifest", managed.file, "--json");
  const line = [program, ...words].map((word) => `'${word}'`).join(" ");
  const head = new Program(t, ".", "sh", "-c", `${line} | head -1`);
  await head.says("start");
  const at = await managed.endpoint("echo", "tcp");
  // Something has to be written for the reader's end to be noticed.
  const talking = setInterval(() => void managed.version(at).catch(() => {}), 50);
  t.after(() => clearInterval(talking));
  await head.ended();
  clearInterval(talking);
  assert.equal(head.errors, "");
  assert.equal((await portico("ctl", "health", "--manifest", managed.file)).code, 0);
});
