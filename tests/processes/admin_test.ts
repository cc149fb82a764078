/** The admin plugin: what it tells, what it does, and whom it lets. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { cpSync, existsSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import process from "node:process";
import { test } from "node:test";
import { command, MAIN, portico } from "../support/command.ts";
import { folder } from "../support/folder.ts";
import { ManagedServer, TCP, UDP, versioned } from "../support/managed-server.ts";
import { askOnce, dial, openUdp } from "../support/peers.ts";
import { lackingPrograms } from "../support/packages.ts";
import { Program } from "../support/program.ts";
import { get, type RequestOptions, send } from "../support/requests.ts";
import { until, within } from "../support/until.ts";

const HTTP = "http://127.0.0.1:0";
const TOKEN = "0123456789abcdef-secret";
const JSON_TYPE = { "content-type": "application/json" };

const admin = (more: object = {}, listen: unknown = ["http+unix:./admin.sock", HTTP]) => ({
  plugin: "admin",
  listen,
  limits: { drain: "5s" },
  ...more,
});

const post = (headers: RequestOptions["headers"] = {}, body = "{}"): RequestOptions => ({
  method: "POST",
  headers: { ...JSON_TYPE, ...headers },
  body,
});

test("health, readiness and status", async (t) => {
  const managed = await ManagedServer.start(t, {
    echo: { plugin: "echo", listen: TCP },
    admin: admin(),
  });
  const endpoint = await managed.endpoint("admin", "http");
  const health = await get(endpoint, "/health");
  assert.deepEqual([health.status, health.headers["content-type"]], [
    200,
    "text/plain; charset=utf-8",
  ]);
  assert.deepEqual(JSON.parse((await get(endpoint, "/ready")).text), { ready: true, reasons: [] });
  await managed.ask("suspend", { service: "echo" });
  const ready = await get(endpoint, "/ready");
  assert.equal(ready.status, 503);
  assert.deepEqual(JSON.parse(ready.text), { ready: false, reasons: ["echo is suspended"] });
  const status = JSON.parse((await get(endpoint, "/status")).text);
  assert.deepEqual(Object.keys(status), Object.keys(await managed.status()));
});

test("the history goes on by itself, and tells what came after a moment", async (t) => {
  const managed = await ManagedServer.start(t, {
    pool: { plugin: "echo", listen: TCP, concurrency: { strategy: "processes", workers: 1 } },
    admin: admin(),
  });
  const endpoint = await managed.endpoint("admin", "http");
  const peer = await dial(t, await managed.endpoint("pool", "tcp"));
  await peer.echo("hello");
  const history = async (after: number) =>
    JSON.parse((await get(endpoint, `/history?after=${after}`)).text);
  // deno-lint-ignore no-explicit-any
  const when = async (what: string, after: number, holds: (told: any) => boolean) => {
    const end = performance.now() + 30_000;
    for (;;) {
      const told = await history(after);
      if (holds(told)) return told;
      assert.ok(performance.now() < end, `${what}: ${JSON.stringify(told)}`);
    }
  };
  const told = await when(
    "the session",
    0,
    ({ services }) => services.pool?.live.at(-1) === 1,
  );
  const [first] = told.times;
  assert.ok(Math.abs(first - Date.now()) < 60_000);
  const more = await when("another sample", told.times.at(-1), ({ times }) => times.length > 0);
  assert.ok(more.times.every((time: number) => time > told.times.at(-1)));
  await when("its delay", 0, ({ server }) => server.lastMinute.delayMs !== null);
  assert.equal((await get(endpoint, "/history?after=soon")).status, 400);
  assert.equal((await get(endpoint, "/status")).headers["portico-service"], "admin");
});

test("curl reads its health over the Unix socket", { skip: lackingPrograms("curl") }, async (t) => {
  const managed = await ManagedServer.start(t, { admin: admin() });
  const socket = join(managed.home, "admin.sock");
  const curl = spawnSync("curl", ["-s", "-i", "--unix-socket", socket, "http://localhost/health"]);
  const text = curl.stdout.toString();
  assert.match(text, /^HTTP\/1\.1 200 /);
  assert.match(text, /alive\s*$/);
  for (
    const header of [
      "x-content-type-options: nosniff",
      "cache-control: no-store",
      "frame-ancestors 'none'",
    ]
  ) {
    assert.ok(text.toLowerCase().includes(header), `${header} in ${text}`);
  }
  assert.doesNotMatch(text, /access-control/i);
});

test("one that is silent about where it listens is reached by its own user", async (t) => {
  const managed = await ManagedServer.start(t, { admin: { plugin: "admin" } });
  const socket = join(managed.home, "admin.sock");
  assert.equal(statSync(socket).mode & 0o777, 0o600);
  assert.equal((await get(`http+unix:${socket}`, "/health")).status, 200);
  await managed.process.stop();
  assert.equal(existsSync(socket), false);
});

test("metrics count exactly, over all workers, in Prometheus' own words", async (t) => {
  const pooled = { concurrency: { strategy: "processes", workers: 2 } };
  const managed = await ManagedServer.start(t, {
    here: { plugin: "echo", listen: [TCP, UDP], limits: { rate: "5/h" } },
    pooled: versioned([TCP, UDP], 1, pooled),
    admin: admin(),
  });
  const peer = await openUdp(t);
  for (let i = 0; i < 3; i++) {
    const streams = await dial(t, await managed.endpoint("here", "tcp"));
    await streams.echo("twelve bytes");
    streams.end();
    await streams.over();
    await askOnce(t, await managed.endpoint("pooled", "tcp"), "version?");
  }
  for (let i = 0; i < 2; i++) await peer.ask("ping", await managed.endpoint("here", "udp"));
  await peer.ask("ping", await managed.endpoint("pooled", "udp"));
  const refused = await dial(t, await managed.endpoint("here", "tcp"));
  await refused.over();
  await managed.until("pooled", ({ live, served }) => live === 0 && served === 4);
  await managed.until("here", ({ live, refused }) => live === 0 && refused === 1);
  const { text, headers } = await get(await managed.endpoint("admin", "http"), "/metrics");
  assert.match(headers["content-type"]!, /^text\/plain; version=0\.0\.4/);
  const value = (line: string): number => {
    const found = text.split("\n").find((each) => each.startsWith(`${line} `));
    assert.ok(found !== undefined, `${line} in\n${text}`);
    return Number(found.slice(line.length + 1));
  };
  assert.equal(value('portico_sessions_accepted_total{service="here"}'), 5);
  assert.equal(value('portico_sessions_accepted_total{service="pooled"}'), 4);
  assert.equal(value('portico_sessions_refused_total{service="here",cause="rate"}'), 1);
  assert.equal(value('portico_datagrams_total{service="here",direction="in"}'), 2);
  assert.equal(value('portico_datagrams_total{service="here",direction="out"}'), 2);
  assert.equal(value('portico_datagrams_total{service="pooled",direction="in"}'), 1);
  assert.equal(value('portico_bytes_total{service="here",direction="in"}'), 3 * 12 + 2 * 4);
  assert.equal(value('portico_session_duration_seconds_count{service="here"}'), 3);
  assert.equal(value('portico_session_duration_seconds_count{service="pooled"}'), 3);
  assert.equal(value('portico_session_duration_seconds_bucket{service="pooled",le="+Inf"}'), 3);
  const ended = text.split("\n").filter((line) =>
    line.startsWith('portico_sessions_ended_total{service="pooled"')
  );
  assert.equal(ended.reduce((sum, line) => sum + Number(line.split(" ").at(-1)), 0), 3);
  assert.equal(value('portico_workers{service="pooled",state="ready"}'), 2);
  assert.ok(value("portico_event_loop_delay_seconds_count") >= 0);
  if (lackingPrograms("promtool") !== false) return t.diagnostic("promtool does not check it");
  const checked = spawnSync("promtool", ["check", "metrics"], { input: text });
  assert.equal(checked.status, 0, `${checked.stdout}${checked.stderr}`);
});

test("controls suspend, resume, drain and reload; not itself", async (t) => {
  const managed = await ManagedServer.start(t, {
    echo: { plugin: "echo", listen: TCP },
    admin: admin(),
  });
  const endpoint = await managed.endpoint("admin", "http");
  const state = async () => (await managed.service("echo")).state;
  assert.deepEqual(JSON.parse((await get(endpoint, "/control/suspend/echo", post())).text), {
    ok: true,
    result: ["echo"],
  });
  assert.equal(await state(), "suspended");
  assert.equal(
    (await get(endpoint, "/control/resume", post({}, '{"service":"echo"}'))).status,
    200,
  );
  assert.equal(await state(), "running");
  assert.equal((await get(endpoint, "/control/suspend", post())).status, 200);
  assert.equal(await state(), "suspended");
  assert.equal((await get(endpoint, "/control/resume", post())).status, 200);
  assert.equal((await get(endpoint, "/control/drain/echo", post())).status, 200);
  assert.equal(await state(), "suspended");
  // As curl -X POST asks, without a body and its length; and with one whose length is not told.
  const head =
    "HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nConnection: close\r\n";
  const chunked = `Transfer-Encoding: chunked\r\n\r\n12\r\n{"service":"echo"}\r\n0\r\n\r\n`;
  for (const [path, rest] of [["/control/resume/echo", "\r\n"], ["/control/resume", chunked]]) {
    const bare = await dial(t, endpoint.replace("http:", "tcp:"));
    bare.send(`POST ${path} ${head}${rest}`);
    await bare.over();
    assert.match(bare.text, /^HTTP\/1\.1 200 [^]*"ok":true,"result":\["echo"\]/);
  }
  const reload = await get(endpoint, "/control/reload", post());
  assert.deepEqual(JSON.parse(reload.text).result.unchanged, ["echo", "admin"]);
  for (
    const [path, asked, status] of [
      ["/control/suspend/admin", post(), 409],
      ["/control/suspend/nobody", post(), 404],
      ["/control/explode", post(), 404],
      ["/control/suspend/echo", {}, 405],
      ["/control/suspend", post({}, "{"), 400],
      ["/control/suspend/echo", { ...post(), headers: {} }, 415],
      ["/control/suspend/echo", post({ "content-type": "text/plain" }), 415],
      ["/control/resume/echo", post({ origin: "http://evil.example" }), 403],
      ["/control/resume/echo", post({ "sec-fetch-site": "cross-site" }), 403],
      ["/control/resume/echo", post({ origin: "null" }), 403],
    ] as const
  ) {
    const answer = await get(endpoint, path, asked);
    assert.equal(answer.status, status, `${path}: ${answer.text}`);
    assert.equal(
      typeof JSON.parse(answer.text).error !== "undefined" || status === 409 || status === 404,
      true,
    );
  }
  assert.equal((await managed.service("admin")).state, "running");
  const own = `http://${endpoint.slice("http://".length)}`;
  const same = post({ origin: own, "sec-fetch-site": "same-origin" });
  assert.equal((await get(endpoint, "/control/resume/echo", same)).status, 200);
});

test("a token is asked for; without one, a name of this machine", async (t) => {
  const managed = await ManagedServer.start(
    t,
    { open: admin(), closed: admin({ options: { token: TOKEN } }, HTTP) },
  );
  const closed = await managed.endpoint("closed", "http");
  const none = await get(closed, "/status");
  assert.deepEqual([none.status, none.headers["www-authenticate"]], [
    401,
    'Bearer realm="portico"',
  ]);
  for (
    const wrong of [
      "Bearer nonsense",
      `Bearer ${TOKEN}x`,
      `Basic ${TOKEN}`,
      `Bearer ${TOKEN.slice(1)}`,
    ]
  ) {
    assert.equal(
      (await get(closed, "/metrics", { headers: { authorization: wrong } })).status,
      401,
    );
  }
  const headers = { authorization: `Bearer ${TOKEN}` };
  assert.equal((await get(closed, "/status", { headers })).status, 200);
  assert.equal((await get(closed, "/health")).status, 200);
  assert.equal((await get(closed, "/control/reload", post())).status, 401);
  const open = await managed.endpoint("open", "http");
  const rebound = await get(open, "/status", { headers: { host: "evil.example:80" } });
  assert.equal(rebound.status, 421);
  assert.equal((await get(open, "/status", { headers: { host: "localhost:1" } })).status, 200);
});

test("records are streamed: those before, those to come, and no more after the end", async (t) => {
  const managed = await ManagedServer.start(t, {
    echo: { plugin: "echo", listen: TCP },
    admin: admin(),
  });
  const endpoint = await managed.endpoint("admin", "http");
  const events = await within("the head", send(endpoint, "/records"));
  let text = "";
  events.setEncoding("utf8").on("data", (chunk: string) => text += chunk);
  const ended = new Promise((resolve) => events.once("close", resolve));
  await until("the records before", () => text.includes('"event":"ready"'));
  const peer = await dial(t, await managed.endpoint("echo", "tcp"));
  await peer.echo("hello");
  peer.end();
  await until("the close", () => text.includes('"event":"close"') && text.includes('"bytesIn":5'));
  await until("its host", () => text.includes(peer.name));
  const top = JSON.parse((await get(endpoint, "/peers")).text);
  assert.deepEqual(
    top.busiest.map(({ host, service, bytes }: Record<string, unknown>) => [host, service, bytes]),
    [["127.0.0.1", "echo", 10]],
  );
  managed.process.signal("SIGTERM");
  await within("the end of the stream", ended, 8000);
});

test("an address that others reach wants a token, and the plugin a server", async (t) => {
  const managed = ManagedServer.prepare(t, { admin: admin({}, "http://*:0") });
  const told = await portico("check", managed.home);
  assert.equal(told.code, 2);
  assert.match(told.err, /received {2}"http:\/\/\*:0"\n +expected {2}a Unix socket [^]*"token"/);
  managed.write({ admin: admin({ options: { token: "short" } }, "http://*:0") });
  assert.match((await portico("check", managed.home)).err, /at least 16 characters/);
  managed.write({ admin: admin({ options: { token: TOKEN } }, "http://*:0") });
  assert.equal((await portico("check", managed.home)).code, 0);
});

/** Asks for everything that the page is made of. */
async function assertPage(endpoint: string): Promise<void> {
  for (
    const [path, type, text] of [
      ["/", "text/html", '<script src="/uplot.js" defer>'],
      ["/page.js", "text/javascript", "./page/records.js"],
      ["/page/charts.js", "text/javascript", "uPlot"],
      ["/page.css", "text/css", "color"],
      ["/uplot.js", "text/javascript", "leeoniya/uPlot"],
      ["/uplot.css", "text/css", ".uplot"],
    ] as const
  ) {
    const answer = await get(endpoint, path);
    assert.deepEqual([path, answer.status], [path, 200]);
    assert.equal(answer.headers["content-type"], `${type}; charset=utf-8`);
    assert.ok(answer.text.includes(text), `${text} in ${path}`);
  }
}

test("the page and the library of its charts are there", async (t) => {
  const managed = await ManagedServer.start(t, { admin: admin() });
  await assertPage(await managed.endpoint("admin", "http"));
});

/** Why a program cannot be run without its node_modules here; false when packages can come from a cache. */
function lackingCache(): string | false {
  const help = spawnSync(process.execPath, ["run", "--help"], { encoding: "utf8" });
  return !`${help.stdout}${help.stderr}`.includes("--node-modules-dir") &&
    "this runtime has its packages in node_modules";
}

test("so they are without node_modules, where packages come from a cache that is still empty", {
  skip: lackingCache(),
}, async (t) => {
  const home = folder(t, {
    "portico.json": JSON.stringify({ services: { admin: { plugin: "admin", listen: HTTP } } }),
  });
  for (const part of ["runtime", "adapters", "plugins", "deno.json", "package.json"]) {
    cpSync(join(dirname(MAIN), "..", part), join(home, part), { recursive: true });
  }
  const start = ["run", "-A", "--no-check", "--node-modules-dir=none", "runtime/main.ts"];
  const server = new Program(
    t,
    home,
    ...["env", `DENO_DIR=${home}/cache`, "NO_COLOR=1", process.execPath, ...start] as const,
  );
  const ready = () => server.text.includes("ready") || server.code !== undefined;
  await until(() => `ready in ${server.text}${server.errors}`, ready, 60_000);
  if (server.code !== undefined && /error sending request|dns error/.test(server.errors)) {
    return t.skip("no package can be fetched here");
  }
  const found = /listening on (http:\S+)/.exec(server.text);
  assert.ok(found !== null, `${server.text}${server.errors}`);
  await assertPage(found[1]!);
});

test("run --stats keeps a line on a terminal", {
  skip: lackingPrograms("script"),
}, async (t) => {
  const managed = ManagedServer.prepare(t, { echo: { plugin: "echo", listen: TCP } });
  const [program, words] = command(MAIN, "run", managed.home, "--stats");
  const line = [program, ...words].map((word) => `'${word}'`).join(" ");
  const variables = ["TERM=xterm", "NO_COLOR=1"];
  const terminal = new Program(
    t,
    managed.home,
    ...["env", ...variables, "script", "-qefc", line, "/dev/null"] as const,
  );
  const shows = (text: RegExp): Promise<void> =>
    terminal.when(String(text), () => text.test(terminal.text));
  await shows(/0 live, 0\/s, 0 served/);
  // A record takes its place, all of it.
  const peer = await dial(t, /"endpoint":"(tcp:[^"]+)"/.exec(terminal.text)![1]!);
  // deno-lint-ignore no-control-regex
  const opened = /\x1b\[2K\{"time":"[^"]+","level":"info","event":"open"/;
  await shows(opened);
  peer.end();
  await shows(/"event":"close"/);
  // Control-C, as from a keyboard.
  terminal.send("\x03");
  const text = await terminal.ended();
  assert.ok(text.includes("\x1b[2K"), JSON.stringify(text));
});
