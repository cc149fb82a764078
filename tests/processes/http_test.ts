/** HTTP endpoints: requests are sessions, with the rules, limits, turns and ends of others. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { call } from "../call.ts";
import { within } from "../until.ts";
import { get, send } from "./requests.ts";
import { pluginPath } from "./server.ts";
import { Site } from "./site.ts";

const HTTP = "http://127.0.0.1:0";

const web = (more: object = {}, version = 0, listen: unknown = HTTP) => ({
  plugin: pluginPath("web"),
  listen,
  options: { version },
  limits: { drain: "5s" },
  ...more,
});

test("requests are sessions: numbered, recorded, counted", async (t) => {
  const site = await Site.open(t, { web: web({}, 7, [HTTP, "http+unix:./web.sock"]) });
  for (const transport of ["http", "http+unix"]) {
    const endpoint = transport === "http"
      ? await site.endpoint("web", "http")
      : `http+unix:${join(site.home, "web.sock")}`;
    const { status, text } = await get(endpoint, "/a/path?secret=1");
    assert.equal(status, 200);
    const told = JSON.parse(text);
    assert.equal(told.version, 7);
    assert.match(told.remote, transport === "http" ? /^tcp:\/\/127\.0\.0\.1:\d+$/ : /^unix:$/);
    const session = { service: "web", session: told.session };
    const open = await site.server.record({ event: "open", level: "debug", ...session });
    assert.deepEqual([open["method"], open["path"]], ["GET", "/a/path"]);
    assert.equal(open["remote"], told.remote);
    const close = await site.server.record({ event: "close", level: "debug", ...session });
    assert.deepEqual(
      [close["status"], close["path"], close["reason"]],
      [200, "/a/path", "done"],
    );
    assert.equal(typeof close["durationMs"], "number");
  }
  const endpoint = await site.endpoint("web", "http");
  const body = "x".repeat(200_000);
  assert.equal((await get(endpoint, "/echo", { method: "POST", body })).text, body);
  for (const [path, message] of [["/throw", /on purpose/], ["/nothing", /return a Response/]]) {
    assert.equal((await get(endpoint, path as string)).status, 500);
    await site.server.record({ event: "error", side: "plugin", message });
  }
  await site.until("web", ({ live, served, errors }) => live === 0 && served === 5 && errors === 2);
});

test("rules and limits answer with a status", async (t) => {
  const site = await Site.open(t, {
    denied: web({ access: { deny: ["127.0.0.1"] } }),
    verified: web({ options: { banned: "all" } }),
    rated: web({ limits: { rate: "1/h" } }),
    full: web({ limits: { sessions: 1 } }),
    single: web({ limits: { perSource: 1 } }),
  });
  const at = (name: string) => site.endpoint(name, "http");
  assert.equal((await get(await at("denied"), "/")).status, 403);
  await site.server.record({ event: "refuse", service: "denied", rule: "deny 127.0.0.1" });
  assert.equal((await get(await at("verified"), "/")).status, 403);
  await site.server.record({ event: "refuse", service: "verified", rule: "verify" });
  assert.equal((await get(await at("rated"), "/")).status, 200);
  const late = await get(await at("rated"), "/");
  assert.deepEqual([late.status, late.headers["retry-after"]], [429, "1"]);
  await site.server.record({ event: "refuse", service: "rated", limit: "rate" });
  for (const [name, status, limit] of [["full", 503, "sessions"], ["single", 429, "perSource"]]) {
    const endpoint = await at(name as string);
    const first = get(endpoint, "/wait?ms=300");
    await site.until(name as string, ({ live }) => live === 1);
    assert.equal((await get(endpoint, "/")).status, status);
    await site.server.record({ event: "refuse", service: name, limit });
    assert.equal((await first).status, 200);
    await site.until(name as string, ({ live }) => live === 0);
    assert.equal((await get(endpoint, "/")).status, 200);
  }
});

test("serial answers one request after the other, in their order", async (t) => {
  const site = await Site.open(t, {
    web: web({ concurrency: "serial" }),
    parked: web({ limits: { sessions: 1, overflow: "hold", hold: "100ms" } }),
  });
  const endpoint = await site.endpoint("web", "http");
  const first = get(endpoint, "/wait?ms=200");
  await site.until("web", ({ live }) => live === 1);
  const order: number[] = [];
  const second = get(endpoint, "/").then(() => order.push(2));
  await site.until("web", ({ held }) => held === 1);
  await first.then(() => order.push(1));
  await second;
  assert.deepEqual(order, [1, 2]);
  const parked = await site.endpoint("parked", "http");
  const long = get(parked, "/wait?ms=400");
  await site.until("parked", ({ live }) => live === 1);
  assert.equal((await get(parked, "/")).status, 503);
  await site.server.record({ event: "refuse", service: "parked", limit: "hold" });
  assert.equal((await long).status, 200);
});

test("a peer that leaves aborts the signal of its session", async (t) => {
  const site = await Site.open(t, { web: web() });
  const endpoint = await site.endpoint("web", "http");
  const asked = send(endpoint, "/events");
  const answer = await within("the head", asked);
  await site.until("web", ({ live }) => live === 1);
  answer.destroy();
  await site.server.record({ event: "close", service: "web", path: "/events", reason: "peer" });
  await site.until("web", ({ live }) => live === 0);
});

test("a drain waits, then tells, then cuts", async (t) => {
  const site = await Site.open(t, { web: web({ limits: { drain: "300ms" } }) });
  const endpoint = await site.endpoint("web", "http");
  const told = get(endpoint, "/until-told");
  const stubborn = get(endpoint, "/stubborn");
  const events = await within("the head", send(endpoint, "/events"));
  events.resume();
  const ended = new Promise((resolve) => events.once("close", resolve));
  await site.server.count(2, { event: "log", text: "waits" });
  const quick = get(endpoint, "/wait?ms=100");
  await site.until("web", ({ live }) => live === 4);
  assert.deepEqual(await site.ask("drain", { service: "web" }), ["web"]);
  assert.equal((await quick).status, 200);
  assert.equal((await told).status, 418);
  await site.server.record({ event: "log", text: "told", why: "drain" });
  assert.equal((await stubborn).status, 503);
  await within("the end of the stream", ended);
  await site.until("web", ({ live, state }) => live === 0 && state === "suspended");
  const waiting = get(endpoint, "/");
  await site.ask("resume", { service: "web" });
  assert.equal((await waiting).status, 200);
});

test("suspended, requests wait; a reload leaves none unanswered", async (t) => {
  const listen = [HTTP, "http+unix:./web.sock"];
  const site = await Site.open(t, { web: web({}, 0, listen) });
  const places = [await site.endpoint("web", "http"), `http+unix:${join(site.home, "web.sock")}`];
  const slow = places.map((endpoint) => get(endpoint, "/wait?ms=300"));
  await site.until("web", ({ live }) => live === 2);
  await site.ask("suspend", { service: "web" });
  const waiting = places.map((endpoint) => get(endpoint, "/"));
  for (const answer of await Promise.all(slow)) assert.equal(answer.status, 200);
  await site.ask("resume", { service: "web" });
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
    site.write({ web: web({}, version, listen) });
    assert.deepEqual((await site.reload()).changed, ["web"]);
    const { text } = await get(places[0]!, "/");
    assert.equal(JSON.parse(text).version, version);
  }
  going = false;
  await Promise.all(askers);
  assert.ok(count > 0 && versions.size > 1, `${count} answers of versions ${[...versions]}`);
});

test("an upgrade hands HTTP sockets on", async (t) => {
  const site = await Site.open(t, { web: web({}, 3, [HTTP, "http+unix:./web.sock"]) });
  const endpoint = await site.endpoint("web", "http");
  const slow = get(endpoint, "/wait?ms=500");
  await site.until("web", ({ live }) => live === 1);
  await site.upgrade();
  assert.equal(JSON.parse((await get(endpoint, "/")).text).version, 3);
  assert.equal((await get(`http+unix:${join(site.home, "web.sock")}`, "/")).status, 200);
  assert.equal((await slow).status, 200);
});

test("what cannot serve HTTP is refused, with the reason", async (t) => {
  const site = Site.make(t, { web: web({ options: { hook: false } }) });
  const plain = await call("run", site.home);
  assert.equal(plain.code, 2);
  assert.match(
    plain.err,
    /http:\/\/127\.0\.0\.1:0: the start of plugin "web" returned no hook fetch/,
  );
  site.write({ web: web({ concurrency: { strategy: "threads", workers: 1 } }) });
  const threads = await call("check", site.home);
  assert.equal(threads.code, 2);
  assert.match(
    threads.out,
    /workers cannot serve HTTP in this version; say "concurrency": "async"/,
  );
  site.write({ web: { plugin: "echo", listen: HTTP } });
  const echo = await call("check", site.home);
  assert.match(echo.err, /the plugin echo serves no other/);
});
