/** What a manifest is expanded to: every default filled, every unit converted. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { overflowOf } from "../../runtime/core/admission/overflow.ts";
import type { Plan } from "../../runtime/core/plan.ts";
import { expand } from "../support/manifest.ts";

/** The plan of a manifest's value, as if it lay in /srv. */
function plan(value: unknown): Plan {
  return expand({ file: "/srv/portico.json", value, locate: () => undefined });
}

/** The plan of one service. */
function one(service: Record<string, unknown>, rest: Record<string, unknown> = {}) {
  const manifest = {
    ...rest,
    services: { s: { plugin: "echo", listen: "tcp://*:0", ...service } },
  };
  return plan(manifest).services[0]!;
}

describe("expand", () => {
  test("expand fills every default", () => {
    assert.deepEqual(one({ listen: "tcp://127.0.0.1:0" }), {
      name: "s",
      plugin: {
        specifier: "echo",
        url: new URL("../../plugins/echo.ts", import.meta.url).href,
      },
      admin: false,
      folder: "/srv",
      listen: [{
        text: "tcp://127.0.0.1:0",
        endpoint: { transport: "tcp", host: "127.0.0.1", port: 0 },
        options: {},
      }],
      concurrency: { strategy: "async", max: Infinity, workers: 1 },
      log: [{ name: "console", type: "console", level: "info", options: {} }],
      options: {},
      limits: {
        sessions: Infinity,
        perSource: Infinity,
        source: { ipv4: 32, ipv6: 64 },
        rate: { count: Infinity, per: 1000 },
        idle: 3_600_000,
        firstByte: 300_000,
        firstByteSaid: false,
        progress: { bytes: 256, per: 120_000 },
        lifetime: Infinity,
        handler: Infinity,
        handshake: 10_000,
        handshakes: 1000,
        refuseRecords: { count: 1, per: 1000, burst: 200 },
        hold: 30_000,
        writeBuffer: 16 * 1024 * 1024,
        waiting: { sessions: Infinity, bytes: 32 * 1024 * 1024 },
        overflow: {
          sessions: "refuse",
          perSource: "refuse",
          rate: "refuse",
          ratePerSource: "refuse",
          load: "refuse",
        },
        rest: 0,
        drain: 10_000,
        start: 10_000,
        stall: Infinity,
      },
      access: { rules: [], others: true },
      processes: { env: {} },
    });
  });
  test("expand converts the units of limits", () => {
    const { limits } = one({
      limits: {
        sessions: "100",
        rate: { count: 3, per: "1m" },
        idle: "1h",
        firstByte: 250,
        writeBuffer: "64KiB",
        overflow: "hold",
      },
    });
    assert.equal(limits.sessions, 100);
    assert.deepEqual(limits.rate, { count: 3, per: 60_000 });
    assert.equal(limits.idle, 3_600_000);
    assert.equal(limits.firstByte, 250);
    assert.equal(limits.writeBuffer, 65_536);
    assert.deepEqual(limits.overflow, overflowOf("wait"));
  });
  test("expand reads what becomes of newcomers, each part over that of defaults", () => {
    const { limits } = one({
      limits: {
        overflow: { sessions: "shed", rate: "hold", ratePerSource: "reset" },
        rate: "5/s",
        rest: "30s",
        waiting: { bytes: "1MiB" },
        load: 4,
      },
    }, { defaults: { limits: { overflow: "wait", waiting: 100, rest: "1s" } } });
    assert.deepEqual(limits.overflow, {
      sessions: "shed",
      perSource: "wait",
      rate: "wait",
      ratePerSource: "reset",
      load: "refuse",
    });
    assert.deepEqual(limits.waiting, { sessions: 100, bytes: 1024 * 1024 });
    assert.deepEqual([limits.rest, limits.load], [30_000, { average: 4 }]);
    const none = one({ limits: { rest: "none" } }, {
      defaults: { limits: { rest: "1s", rate: "5/s" } },
    });
    assert.equal(none.limits.rest, 0);
    assert.deepEqual(one({ limits: { load: { delay: "200ms" } } }).limits.load, { delay: 200 });
  });
  test("expand merges limits under those of defaults, and none lifts one", () => {
    const { limits } = one({ limits: { idle: "none", sessions: 5 } }, {
      defaults: { limits: { idle: "60s", drain: "1s" } },
    });
    assert.equal(limits.idle, Infinity);
    assert.equal(limits.sessions, 5);
    assert.equal(limits.drain, 1000);
  });
  test("expand replaces lists of defaults, each by its name", () => {
    const { access, log } = one({ access: { deny: ["10.0.0.1"] }, log: "none" }, {
      defaults: { access: { allow: ["10.0.0.0/8"], deny: ["::1"] }, log: ["json", "console"] },
    });
    assert.deepEqual(access.rules.map(({ action, text }) => [action, text]), [
      ["allow", "10.0.0.0/8"],
      ["deny", "10.0.0.1"],
    ]);
    assert.deepEqual(log.map(({ name }) => name), ["none"]);
  });
  test("expand keeps settings of defaults for the same strategy only", () => {
    const defaults = { concurrency: { strategy: "async", max: 9 } };
    assert.equal(one({ concurrency: "async" }, { defaults }).concurrency.max, 9);
    assert.equal(one({}, { defaults }).concurrency.max, 9);
    assert.deepEqual(one({ concurrency: "serial" }, { defaults }).concurrency, {
      strategy: "serial",
      max: 1,
      workers: 1,
    });
    assert.equal(one({ concurrency: "spawn" }, { defaults }).concurrency.max, 40);
  });
  test("expand takes the number of workers as text, from the environment", () => {
    const concurrency = { strategy: "threads", workers: "3" };
    assert.equal(one({ concurrency }).concurrency.workers, 3);
  });
  test("expand makes a worker for each core of auto", () => {
    const cores = navigator.hardwareConcurrency;
    assert.equal(one({ concurrency: { strategy: "threads" } }).concurrency.workers, cores);
    const two = { strategy: "processes", workers: 2 };
    assert.equal(one({ concurrency: two }).concurrency.workers, 2);
  });
  test("expand has worker processes watched, and nobody else where nothing is said", () => {
    const stallOf = (concurrency: string, rest = {}, limits = {}): number =>
      one({ concurrency, limits }, rest).limits.stall;
    assert.deepEqual(
      ["serial", "async", "threads", "processes", "spawn"].map((name) => stallOf(name)),
      [Infinity, Infinity, Infinity, 30_000, 30_000],
    );
    const defaults = { limits: { stall: "5s" } };
    assert.deepEqual(
      ["serial", "async", "threads", "spawn"].map((name) => stallOf(name, { defaults })),
      [Infinity, Infinity, 5000, 5000],
    );
    assert.equal(stallOf("processes", {}, { stall: "none" }), Infinity);
    assert.equal(stallOf("async", {}, { stall: "none" }), Infinity);
  });
  test("hold is another name of wait; the block that stands nearer decides", () => {
    const holdOf = (limits: object, defaults: object): number =>
      one({ limits }, { defaults: { limits: defaults } }).limits.hold;
    assert.equal(holdOf({ wait: "1s" }, { hold: "2s" }), 1000);
    assert.equal(holdOf({ hold: "1s" }, { wait: "2s" }), 1000);
    assert.equal(holdOf({}, { wait: "none" }), Infinity);
  });
  test("deadlines protect when nobody has said anything, and are lifted by none", () => {
    const { firstByte, firstByteSaid } = one({ limits: { firstByte: "2s" } }).limits;
    assert.deepEqual([firstByte, firstByteSaid], [2000, true]);
    const none = { firstByte: "none", idle: "none", progress: "none", handshake: "none" };
    const lifted = one({ limits: none }).limits;
    assert.deepEqual(
      [lifted.firstByte, lifted.idle, lifted.progress.per, lifted.handshake],
      [Infinity, Infinity, Infinity, Infinity],
    );
    const progress = (value: unknown) => one({ limits: { progress: value } }).limits.progress;
    assert.deepEqual(progress("1.5KiB/30s"), { bytes: 1536, per: 30_000 });
    assert.deepEqual(progress({ bytes: "1kB", per: 500 }), { bytes: 1000, per: 500 });
  });
  test("limits of streams are for services that have any; those of defaults disturb no other", () => {
    const limits = { idle: "1s", firstByte: "2s", writeBuffer: 10, lifetime: "3s" };
    const mixed = one({ listen: ["http://*:80", "tcp://*:81"], limits }).limits;
    assert.deepEqual([mixed.idle, mixed.lifetime], [1000, 3000]);
    const web = one({ listen: "http://*:80", limits: { lifetime: "4s", idle: "none" } }, {
      defaults: { limits },
    });
    assert.deepEqual([web.limits.lifetime, web.limits.idle], [4000, Infinity]);
  });
  test("expand reads what the whole server is", () => {
    const rest = { control: "unix:run/c.sock", user: "www", group: 33, umask: "027" };
    const { control, identity, umask } = plan({
      ...rest,
      services: { s: { plugin: "echo", listen: "tcp://*:0" } },
    });
    assert.deepEqual([control, identity, umask], [
      "/srv/run/c.sock",
      { user: "www", group: 33 },
      0o27,
    ]);
  });
  test("expand takes the control socket as a path, or false, or leaves it open", () => {
    const services = { s: { plugin: "echo", listen: "tcp://*:0" } };
    const controlOf = (rest: object) => plan({ ...rest, services }).control;
    assert.equal(controlOf({ control: "/run/c.sock" }), "/run/c.sock");
    assert.equal(controlOf({ control: "c.sock" }), "/srv/c.sock");
    assert.equal(controlOf({ control: false }), false);
    assert.equal(controlOf({}), undefined);
    assert.deepEqual(plan({ services }).identity, {});
    assert.equal(plan({ services }).umask, undefined);
  });
  test("expand reads what the processes of a service are", () => {
    const own = { user: 65534, group: "nogroup", umask: "0077", nice: -5 };
    const env = { TZ: "UTC", HOME: null };
    assert.deepEqual(one({ concurrency: "spawn", ...own, env }).processes, {
      ...own,
      umask: 0o77,
      env,
    });
    assert.deepEqual(one({}).processes, { env: {} });
  });
  test("expand makes workers whoever the server becomes, unless their service says otherwise", () => {
    const service = { plugin: "echo", listen: "tcp://*:0" };
    const { services } = plan({
      user: "root",
      group: 33,
      services: {
        silent: { ...service, concurrency: "processes" },
        own: { ...service, concurrency: "spawn", user: "nobody" },
        thread: { ...service, concurrency: "threads" },
      },
    });
    assert.deepEqual(services.map(({ processes }) => processes), [
      { user: "root", group: 33, env: {} },
      { user: "nobody", env: {} },
      { env: {} },
    ]);
  });
  test("expand takes sockets that are open already, with what can still be set", () => {
    const { listen } = one({
      listen: ["systemd:web", { endpoint: "fd:7", receiveBuffer: "64KiB", backlog: 9 }],
      concurrency: { strategy: "threads", workers: 2 },
    });
    assert.deepEqual(listen.map(({ endpoint, options }) => [endpoint, options]), [
      [{ transport: "systemd", name: "web" }, {}],
      [{ transport: "fd", name: "7" }, { receiveBuffer: 65_536, backlog: 9 }],
    ]);
  });
  test("expand sends records to standard error where stdio: is a peer", () => {
    const log = ["json", { type: "console", stream: "stderr" }, { type: "file", path: "a.log" }];
    const streams = (listen: string): unknown[] =>
      one({ listen, log }).log.map(({ options }) => options["stream"]);
    assert.deepEqual(streams("stdio:"), ["stderr", "stderr", undefined]);
    assert.deepEqual(streams("fd:3"), [undefined, "stderr", undefined]);
  });
  test("expand resolves socket paths from the manifest's folder, and keeps the text", () => {
    const { listen } = one({ listen: ["unix:./a.sock", "unixgram:@name", "unix:/run/b.sock"] });
    assert.deepEqual(listen.map(({ text, endpoint }) => [text, endpoint]), [
      ["unix:./a.sock", { transport: "unix", path: "/srv/a.sock" }],
      ["unixgram:@name", { transport: "unixgram", path: "@name" }],
      ["unix:/run/b.sock", { transport: "unix", path: "/run/b.sock" }],
    ]);
  });
  test("expand takes the names of ports", () => {
    const { listen } = one({ listen: ["tcp://[::1]:daytime", "udp://*:time"] });
    assert.deepEqual(listen.map(({ endpoint }) => "port" in endpoint && endpoint.port), [13, 37]);
  });
  test("expand converts socket options", () => {
    const { listen } = one({
      listen: {
        endpoint: "unix:/a",
        backlog: 5,
        keepAlive: "60s",
        receiveBuffer: "1MiB",
        mode: "0660",
        noDelay: false,
      },
    });
    assert.deepEqual(listen[0]!.options, {
      backlog: 5,
      keepAlive: 60_000,
      receiveBuffer: 2 ** 20,
      mode: 0o660,
      noDelay: false,
    });
  });
  test("expand lets port 0 stand twice", () => {
    assert.equal(one({ listen: ["tcp://*:0", "tcp://*:0"] }).listen.length, 2);
  });
  test("expand lets TCP and UDP share a port", () => {
    assert.equal(one({ listen: ["tcp://*:7", "udp://*:7"] }).listen.length, 2);
  });
  test("expand finds sinks by name, by type and inline, with paths made absolute", () => {
    const { log } = one(
      { log: ["audit", "json", { type: "file", path: "b.log", level: "warn" }] },
      {
        sinks: { audit: { type: "file", path: "logs/a.log", format: "text" } },
      },
    );
    assert.deepEqual(log, [
      {
        name: "audit",
        type: "file",
        level: "info",
        options: { path: "/srv/logs/a.log", format: "text" },
      },
      { name: "json", type: "json", level: "info", options: {} },
      {
        name: "file",
        type: "file",
        level: "warn",
        options: { path: "/srv/b.log", format: "json" },
      },
    ]);
  });
  test("expand lets sinks give a type's name another meaning", () => {
    const { log } = one({}, { sinks: { console: { type: "json", level: "debug" } } });
    assert.deepEqual(log, [{ name: "console", type: "json", level: "debug", options: {} }]);
  });
});
