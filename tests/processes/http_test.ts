/** HTTP endpoints: requests are sessions, with the rules, limits, turns and ends of others. */
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { test } from "node:test";
import { portico } from "../support/command.ts";
import { folder } from "../support/folder.ts";
import { askSteadily, KeepAliveTally } from "../support/keep-alive.ts";
import { ManagedServer } from "../support/managed-server.ts";
import { dial, type StreamClient } from "../support/peers.ts";
import { comesToRest } from "../support/proc.ts";
import { get, send } from "../support/requests.ts";
import type { Scope } from "../support/scope.ts";
import {
  limitDescriptors,
  manifest,
  pluginPath,
  type ServerProcess,
  startServer,
} from "../support/server-process.ts";
import { until, within } from "../support/until.ts";

const HTTP = "http://127.0.0.1:0";

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

const web = (more: object = {}, version = 0, listen: unknown = HTTP) => ({
  plugin: pluginPath("web"),
  listen,
  options: { version },
  limits: { drain: "5s" },
  ...more,
});

test("requests are sessions: numbered, recorded, counted", async (t) => {
  const managed = await ManagedServer.start(t, { web: web({}, 7, [HTTP, "http+unix:./web.sock"]) });
  for (const transport of ["http", "http+unix"]) {
    const endpoint = transport === "http"
      ? await managed.endpoint("web", "http")
      : `http+unix:${join(managed.home, "web.sock")}`;
    const { status, text } = await get(endpoint, "/a/path?secret=1");
    assert.equal(status, 200);
    const told = JSON.parse(text);
    assert.equal(told.version, 7);
    assert.match(told.remote, transport === "http" ? /^tcp:\/\/127\.0\.0\.1:\d+$/ : /^unix:$/);
    const session = { service: "web", session: told.session };
    const open = await managed.process.record({ event: "open", level: "debug", ...session });
    assert.deepEqual([open["method"], open["path"]], ["GET", "/a/path"]);
    assert.equal(open["remote"], told.remote);
    const close = await managed.process.record({ event: "close", level: "debug", ...session });
    assert.deepEqual(
      [close["status"], close["path"], close["reason"]],
      [200, "/a/path", "done"],
    );
    assert.equal(typeof close["durationMs"], "number");
  }
  const endpoint = await managed.endpoint("web", "http");
  const body = "x".repeat(200_000);
  assert.equal((await get(endpoint, "/echo", { method: "POST", body })).text, body);
  for (const [path, message] of [["/throw", /on purpose/], ["/nothing", /return a Response/]]) {
    assert.equal((await get(endpoint, path as string)).status, 500);
    await managed.process.record({ event: "error", side: "plugin", message });
  }
  await managed.until(
    "web",
    ({ live, served, errors }) => live === 0 && served === 5 && errors === 2,
  );
});

/** What a request asks for to be answered when it is let go. */
function gateOf({ home }: ManagedServer, name: string): readonly [string, () => void] {
  const file = join(home, `let-go-${name}`);
  return [`/until-there?file=${encodeURIComponent(file)}`, () => writeFileSync(file, "")];
}

test("rules and limits answer with a status", async (t) => {
  const managed = await ManagedServer.start(t, {
    denied: web({ access: { deny: ["127.0.0.1"] } }),
    verified: web({ options: { banned: "all" } }),
    rated: web({ limits: { rate: "1/h" } }),
    full: web({ limits: { sessions: 1 } }),
    single: web({ limits: { perSource: 1 } }),
  });
  const at = (name: string) => managed.endpoint(name, "http");
  assert.equal((await get(await at("denied"), "/")).status, 403);
  await managed.process.record({ event: "refuse", service: "denied", rule: "deny 127.0.0.1" });
  assert.equal((await get(await at("verified"), "/")).status, 403);
  await managed.process.record({ event: "refuse", service: "verified", rule: "verify" });
  assert.equal((await get(await at("rated"), "/")).status, 200);
  const late = await get(await at("rated"), "/");
  assert.deepEqual([late.status, late.headers["retry-after"]], [429, "1"]);
  await managed.process.record({ event: "refuse", service: "rated", limit: "rate" });
  for (const [name, status, limit] of [["full", 503, "sessions"], ["single", 429, "perSource"]]) {
    const endpoint = await at(name as string);
    const [path, letGo] = gateOf(managed, name as string);
    const first = get(endpoint, path);
    await managed.until(name as string, ({ live }) => live === 1);
    assert.equal((await get(endpoint, "/")).status, status);
    await managed.process.record({ event: "refuse", service: name, limit });
    letGo();
    assert.equal((await first).status, 200);
    await managed.until(name as string, ({ live }) => live === 0);
    assert.equal((await get(endpoint, "/")).status, 200);
  }
});

test("serial answers one request after the other, in their order", async (t) => {
  const managed = await ManagedServer.start(t, {
    web: web({ concurrency: "serial" }),
    parked: web({ limits: { sessions: 1, overflow: "hold", hold: "100ms" } }),
  });
  const endpoint = await managed.endpoint("web", "http");
  const [path, letGo] = gateOf(managed, "web");
  const first = get(endpoint, path);
  await managed.until("web", ({ live }) => live === 1);
  const order: number[] = [];
  const second = get(endpoint, "/").then(() => order.push(2));
  await managed.until("web", ({ held }) => held === 1);
  letGo();
  await first.then(() => order.push(1));
  await second;
  assert.deepEqual(order, [1, 2]);
  const parked = await managed.endpoint("parked", "http");
  const [parkedPath, letParkedGo] = gateOf(managed, "parked");
  const long = get(parked, parkedPath);
  await managed.until("parked", ({ live }) => live === 1);
  assert.equal((await get(parked, "/")).status, 503);
  await managed.process.record({ event: "refuse", service: "parked", limit: "hold" });
  letParkedGo();
  assert.equal((await long).status, 200);
});

test("a peer that leaves aborts the signal of its session", async (t) => {
  const managed = await ManagedServer.start(t, { web: web() });
  const endpoint = await managed.endpoint("web", "http");
  const asked = send(endpoint, "/events");
  const answer = await within("the head", asked);
  await managed.until("web", ({ live }) => live === 1);
  answer.destroy();
  await managed.process.record({ event: "close", service: "web", path: "/events", reason: "peer" });
  await managed.until("web", ({ live }) => live === 0);
});

test("a drain waits, then tells, then cuts", async (t) => {
  const managed = await ManagedServer.start(t, { web: web({ limits: { drain: "300ms" } }) });
  const endpoint = await managed.endpoint("web", "http");
  const told = get(endpoint, "/until-told");
  const stubborn = get(endpoint, "/stubborn");
  const events = await within("the head", send(endpoint, "/events"));
  events.resume();
  const ended = new Promise((resolve) => events.once("close", resolve));
  await managed.process.count(2, { event: "log", text: "waits" });
  const quick = get(endpoint, "/wait?ms=100");
  await managed.process.record({ event: "open", path: "/wait" });
  assert.deepEqual(await managed.ask("drain", { service: "web" }), ["web"]);
  assert.equal((await quick).status, 200);
  assert.equal((await told).status, 418);
  await managed.process.record({ event: "log", text: "told", why: "drain" });
  assert.equal((await stubborn).status, 503);
  await within("the end of the stream", ended);
  await managed.until("web", ({ live, state }) => live === 0 && state === "suspended");
  const waiting = get(endpoint, "/");
  await managed.ask("resume", { service: "web" });
  assert.equal((await waiting).status, 200);
});

test("suspended, requests wait; a reload leaves none unanswered", async (t) => {
  const listen = [HTTP, "http+unix:./web.sock"];
  const managed = await ManagedServer.start(t, { web: web({}, 0, listen) });
  const places = [
    await managed.endpoint("web", "http"),
    `http+unix:${join(managed.home, "web.sock")}`,
  ];
  const slow = places.map((endpoint) => get(endpoint, "/wait?ms=300"));
  await managed.until("web", ({ live }) => live === 2);
  await managed.ask("suspend", { service: "web" });
  const waiting = places.map((endpoint) => get(endpoint, "/"));
  for (const answer of await Promise.all(slow)) assert.equal(answer.status, 200);
  await managed.ask("resume", { service: "web" });
  for (const answer of await Promise.all(waiting)) assert.equal(answer.status, 200);

  let going = true;
  let count = 0;
  const versions = new Set<number>();
  const askers = places.map(async (endpoint) => {
    while (going) {
      const { status, text } = await get(endpoint, "/wait?ms=10");
      assert.equal(status, 200);
      versions.add(JSON.parse(text).version);
      count++;
    }
  });
  for (let version = 1; version <= 4; version++) {
    managed.write({ web: web({}, version, listen) });
    assert.deepEqual((await managed.reload()).changed, ["web"]);
    const { text } = await get(places[0]!, "/");
    assert.equal(JSON.parse(text).version, version);
  }
  going = false;
  await Promise.all(askers);
  assert.ok(count > 0 && versions.size > 1, `${count} answers of versions ${[...versions]}`);
});

test("an upgrade hands HTTP sockets on", async (t) => {
  const managed = await ManagedServer.start(t, { web: web({}, 3, [HTTP, "http+unix:./web.sock"]) });
  const endpoint = await managed.endpoint("web", "http");
  const slow = get(endpoint, "/wait?ms=500");
  await managed.until("web", ({ live }) => live === 1);
  await managed.upgrade();
  assert.equal(JSON.parse((await get(endpoint, "/")).text).version, 3);
  assert.equal((await get(`http+unix:${join(managed.home, "web.sock")}`, "/")).status, 200);
  assert.equal((await slow).status, 200);
});

test("what cannot serve HTTP is refused, with the reason", async (t) => {
  const managed = ManagedServer.prepare(t, { web: web({ options: { hook: false } }) });
  const plain = await portico("run", managed.home);
  assert.equal(plain.code, 2);
  assert.match(
    plain.err,
    /http:\/\/127\.0\.0\.1:0: the start of plugin "web" returned no hook fetch/,
  );
  managed.write({ web: web({ concurrency: { strategy: "threads", workers: 1 } }) });
  const threads = await portico("check", managed.home);
  assert.equal(threads.code, 2);
  assert.match(
    threads.out,
    /workers cannot serve HTTP in this version; say "concurrency": "async"/,
  );
  managed.write({ web: { plugin: "echo", listen: HTTP } });
  const echo = await portico("check", managed.home);
  assert.match(echo.err, /the plugin echo serves no other/);
});

test("lifetime ends requests that take too long: told, then answered with 503, or cut", async (t) => {
  const managed = await ManagedServer.start(t, {
    web: web({ limits: { lifetime: "200ms" } }),
    serial: web({ limits: { lifetime: "200ms" }, concurrency: "serial" }),
  });
  const endpoint = await managed.endpoint("web", "http");
  const late = (path: string) =>
    managed.process.record({ event: "close", service: "web", path, reason: "lifetime" });
  assert.equal((await get(endpoint, "/")).status, 200);
  assert.equal((await get(endpoint, "/until-told")).status, 418);
  await managed.process.record({ event: "log", text: "told", why: "lifetime" });
  await late("/until-told");
  assert.equal((await get(endpoint, "/stubborn")).status, 503);
  const { status, durationMs } = await late("/stubborn");
  assert.equal(status, 503);
  assert.ok((durationMs as number) >= 200, `${durationMs} ms`);
  // Events may end at any time; of another body the peer sees that it is not whole.
  const events = await get(endpoint, "/events");
  assert.match(events.text, /^(data: tick\n\n)+$/);
  await late("/events");
  await assert.rejects(get(endpoint, "/endless"), /abort|reset|hang up/i);
  await late("/endless");
  await managed.until("web", ({ live, served }) => live === 0 && served === 5);
  // The turn of one that never answers goes to the next.
  const serial = await managed.endpoint("serial", "http");
  const stubborn = get(serial, "/stubborn");
  await managed.process.record({ event: "open", service: "serial", path: "/stubborn" });
  assert.equal((await get(serial, "/")).status, 200);
  assert.equal((await stubborn).status, 503);
});

const ASK = "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n";

/** A server with few descriptors, and peers that keep their connections: more than there is room for. */
async function crowd(
  t: Scope,
  steps: number,
  size: number,
): Promise<[ServerProcess, StreamClient[], string]> {
  const home = folder(t, {
    "portico.json": manifest({ web: { plugin: pluginPath("web"), listen: HTTP } }),
  });
  const server = await startServer(t, home, { through: limitDescriptors(128) });
  const peers: StreamClient[] = [];
  for (let step = 0; step < steps; step++) {
    // Some runtimes do not show whom they accept: there somebody looks four times a second.
    if (step > 0) await pause(300);
    const more = Array.from({ length: size }, () => dial(t, server.endpoint("web", "http")));
    peers.push(...await Promise.all(more));
    for (const peer of peers.slice(-size)) peer.send(ASK);
  }
  const { level, service, code, side } = await server.record({ event: "error" });
  assert.deepEqual([level, service, code, side], ["warn", "web", "EMFILE", "host"]);
  // What it has begun with them comes to its end; then nothing happens.
  await comesToRest(server.pid);
  return [server, peers, home];
}

test("out of descriptors, newcomers wait; who is there is served; then it goes on", async (t) => {
  const [server, peers] = await crowd(t, 13, 10);
  peers[0]!.send(ASK);
  await until("another answer", () => peers[0]!.text.split("200 OK").length === 3);
  const waiting = peers.filter(({ text }) => text === "").length;
  assert.ok(waiting > 10, `${waiting} wait`);
  // As those leave who have been answered, the others have their turn.
  const left = new Set<StreamClient>();
  await until(() => `the answers to all; there are ${left.size}`, () => {
    for (const peer of peers) {
      if (left.has(peer) || !peer.text.includes("200 OK")) continue;
      left.add(peer);
      peer.end();
    }
    return left.size === peers.length;
  });
  assert.deepEqual(peers.filter(({ code }) => code !== undefined), [], "nobody was cut off");
  const reports = server.all({ event: "error" });
  assert.ok(reports.length <= 20, `${reports.length} records`);
  assert.deepEqual(reports.filter(({ code }) => code !== "EMFILE"), []);
  await server.stop();
});

test("whoever comes all at once, and is too many, does not end the service", async (t) => {
  const [server, peers, home] = await crowd(t, 1, 300);
  // There are descriptors left for everything else.
  const told = await portico("ctl", "status", "--manifest", home);
  assert.equal(told.code, 0, told.err);
  for (const peer of peers) peer.leave();
  // One that comes while they are cleared away may still be cut off.
  const ask = () => get(server.endpoint("web", "http"), "/").then(({ status }) => status, () => 0);
  let status = 0;
  for (let trial = 0; trial < 50 && status === 0; trial++) {
    if (trial > 0) await pause(100);
    status = await ask();
  }
  assert.equal(status, 200);
  const reports = server.all({ event: "error" });
  assert.ok(reports.length <= 20, `${reports.length} records`);
  await server.stop();
});

test("a reload closes no kept connection that has a request on the way: its last answer says so", async (t) => {
  const managed = await ManagedServer.start(t, { web: web({}, 0) });
  const port = Number(new URL(await managed.endpoint("web", "http")).port);
  const tally = new KeepAliveTally();
  // Between two reloads, and after the last.
  const wanted = Number(process.env["PORTICO_TEST_REQUESTS"] ?? 500);
  const reloads = 3;
  let last = Infinity;
  const more = (): boolean => tally.answered < last;
  const started = performance.now();
  const clients = Array.from({ length: 20 }, () => askSteadily(port, tally, more));
  for (let version = 1; version <= reloads; version++) {
    const next = tally.answered + wanted;
    await until("answers", () => tally.answered >= next, 60_000);
    managed.write({ web: web({}, version) });
    await managed.reload();
  }
  last = tally.answered + wanted;
  await within("the clients", Promise.all(clients), 120_000);
  const seconds = (performance.now() - started) / 1000;
  t.diagnostic(`${tally.answered} answers in ${seconds} s, ${tally.connections} connections`);
  assert.deepEqual(tally.failed, []);
  assert.ok(tally.said >= 60, `${tally.said} answers said that they were the last`);
});

test("a drain answers kept connections once more, and says that it is the last time", async (t) => {
  const managed = await ManagedServer.start(t, { web: web({}, 0) });
  const port = Number(new URL(await managed.endpoint("web", "http")).port);
  const tally = new KeepAliveTally();
  let going = true;
  const clients = Array.from({ length: 20 }, () => askSteadily(port, tally, () => going));
  for (let times = 1; times <= 2; times++) {
    const next = tally.answered + 500;
    await until("answers", () => tally.answered >= next, 60_000);
    await managed.ask("drain", { service: "web" });
    await managed.ask("resume", { service: "web" });
  }
  going = false;
  await within("the clients", Promise.all(clients), 60_000);
  assert.deepEqual(tally.failed, []);
  assert.ok(tally.said >= 40, `${tally.said} answers said that they were the last`);
});
