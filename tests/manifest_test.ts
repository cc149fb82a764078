import assert from "node:assert/strict";
import { join } from "node:path";
import { describe, test } from "node:test";
import { pathToFileURL } from "node:url";
import type { Plan } from "../runtime/core/plan.ts";
import { substitute } from "../runtime/manifest/environment.ts";
import { parseJsonc } from "../runtime/manifest/jsonc.ts";
import { load } from "../runtime/manifest/load.ts";
import { nearest } from "../runtime/values/nearest.ts";
import { resolveExports } from "../runtime/modules/package.ts";
import { parseServices, portOf } from "../runtime/values/ports.ts";
import { parseCount, parseDuration, parseRate, parseSize } from "../runtime/values/units.ts";
import { folder } from "./support/folder.ts";
import { expand, prepare } from "./support/manifest.ts";

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

const PLUGIN =
  `export default { name: "p", transports: ["stream"], start: () => ({ data() {} }) };`;

describe("units", () => {
  test("parseDuration reads ms, s, m, h", () => {
    assert.deepEqual(
      ["250ms", "30s", "1.5m", "1h", "30", "s", "1d", "-1s"].map(parseDuration),
      [250, 30_000, 90_000, 3_600_000, NaN, NaN, NaN, NaN],
    );
  });
  test("parseSize tells thousands from powers of two", () => {
    assert.deepEqual(
      ["512B", "10kB", "10MB", "64KiB", "1GiB", "1TB", "1Kb"].map(parseSize),
      [512, 10_000, 10_000_000, 65_536, 2 ** 30, NaN, NaN],
    );
  });
  test("parseRate reads /s, /m, /h", () => {
    assert.deepEqual(parseRate("50/s"), { count: 50, per: 1000 });
    assert.deepEqual(parseRate("6/h"), { count: 6, per: 3_600_000 });
    assert.deepEqual(parseRate("6/d"), { count: NaN, per: NaN });
  });
  test("parseCount reads whole numbers only", () => {
    assert.deepEqual(["10", "1.5", "-1", ""].map(parseCount), [10, NaN, NaN, NaN]);
  });
});

describe("nearest", () => {
  test("nearest finds a missing, a wrong and a swapped letter", () => {
    const known = ["listen", "limits", "log", "echo"];
    assert.equal(nearest("lisen", known), "listen");
    assert.equal(nearest("limitz", known), "limits");
    assert.equal(nearest("ehco", known), "echo");
    assert.equal(nearest("LISTEN", known), "listen");
  });
  test("nearest suggests nothing for another word", () => {
    assert.equal(nearest("workers", ["listen", "log"]), undefined);
    assert.equal(nearest("x", ["log"]), undefined);
  });
});

describe("parseJsonc", () => {
  test("parseJsonc takes comments, trailing commas and a byte order mark", () => {
    const { value } = parseJsonc('\uFEFF{ // one\n /* two */ "a": [1, 2,], }', "/f");
    assert.deepEqual(value, { a: [1, 2] });
  });
  test("locate finds a value, a key, and the nearest thing that is there", () => {
    const { locate } = parseJsonc('{\r\n  "a": {\r\n    "b": [10, 20]\r\n  }\r\n}', "/f");
    assert.deepEqual(locate(["a", "b", 1], "value"), { line: 3, column: 15 });
    assert.deepEqual(locate(["a", "b"], "key"), { line: 3, column: 5 });
    assert.deepEqual(locate(["a", "x", "y"], "value"), { line: 2, column: 8 });
    assert.deepEqual(locate([], "value"), { line: 1, column: 1 });
  });
});

describe("substitute", () => {
  const variables = { PORT: "7007", EMPTY: "" };
  const read = (value: unknown): unknown =>
    substitute(value, variables, (path, received) => assert.fail(`${path.join(".")}: ${received}`));
  test("substitute replaces variables in strings at any depth, and in no key", () => {
    assert.deepEqual(read({ "${PORT}": ["tcp://*:${PORT}", 1, null] }), {
      "${PORT}": ["tcp://*:7007", 1, null],
    });
  });
  test("substitute takes the default of a variable that is not set or empty", () => {
    assert.equal(read("${NO:-a}${EMPTY:-b}${PORT:-c}${NO:-}"), "ab7007");
    assert.equal(read("[${EMPTY}]"), "[]");
  });
  test("substitute leaves $${ as ${", () => {
    assert.equal(read("$${PORT} $PORT"), "${PORT} $PORT");
  });
  test("substitute leaves instances as they are", () => {
    const value = { when: new Date(0) };
    assert.equal((read(value) as typeof value).when, value.when);
  });
});

describe("services", () => {
  test("portOf knows the names of RFC 862 to 868", () => {
    assert.equal(portOf("daytime", "tcp"), 13);
    assert.equal(portOf("echo", "udp"), 7);
    assert.equal(portOf("no-such-service", "tcp"), undefined);
  });
  test("parseServices reads aliases and comments, and keeps the first entry", () => {
    const ports = parseServices("# all\nmail 25/tcp smtp # post\nmail 26/tcp\nbad line\nx 1/udp");
    assert.deepEqual([...ports], [["mail/tcp", 25], ["smtp/tcp", 25], ["x/udp", 1]]);
  });
});

describe("load", () => {
  const manifest =
    '{ "services": { "e": { "plugin": "echo", "listen": "tcp://127.0.0.1:${P}" } } }';
  for (const name of ["portico.json", "portico.jsonc"]) {
    test(`load finds ${name} in a folder, and reads it by its path`, async (t) => {
      const path = folder(t, { [name]: manifest });
      const source = await load(path, { P: "1" });
      assert.equal(source.file, join(path, name));
      assert.deepEqual((await load(join(path, name), { P: "1" })).value, source.value);
    });
  }
  test("load imports portico.ts and replaces variables in it", async (t) => {
    const path = folder(t, {
      "portico.ts": `const manifest: object = ${manifest};\nexport default manifest;\n`,
    });
    const source = await load(path, { P: "7" });
    assert.equal(expand(source).services[0]!.listen[0]!.text, "tcp://127.0.0.1:7");
  });
});

describe("expand", () => {
  test("expand fills every default", () => {
    assert.deepEqual(one({ listen: "tcp://127.0.0.1:0" }), {
      name: "s",
      plugin: {
        specifier: "echo",
        url: new URL("../plugins/echo.ts", import.meta.url).href,
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
        rate: { count: Infinity, per: 1000 },
        idle: Infinity,
        firstByte: Infinity,
        lifetime: Infinity,
        hold: 30_000,
        writeBuffer: 16 * 1024 * 1024,
        overflow: "refuse",
        drain: 10_000,
        start: 10_000,
        stall: Infinity,
      },
      access: { allow: [], deny: [] },
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
    assert.equal(limits.overflow, "hold");
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
    assert.deepEqual(access, { allow: ["10.0.0.0/8"], deny: ["10.0.0.1"] });
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

describe("resolvePlugin", () => {
  const services = (plugin: string): string =>
    JSON.stringify({
      plugins: { own: "./own.ts", echo: "./own.ts" },
      services: { s: { plugin, listen: "tcp://*:0" } },
    });
  async function urlOf(path: string): Promise<string> {
    return expand(await load(path)).services[0]!.plugin.url;
  }
  for (const plugin of ["own", "./own.ts", "../srv/own.ts", "echo"]) {
    test(`resolvePlugin finds ${plugin} from the manifest's folder`, async (t) => {
      const home = folder(t, { "srv/portico.json": services(plugin), "srv/own.ts": PLUGIN });
      assert.equal(await urlOf(join(home, "srv")), pathToFileURL(join(home, "srv/own.ts")).href);
    });
  }
  test("resolvePlugin takes an absolute path and a file: URL", (t) => {
    const home = folder(t, { "own.ts": PLUGIN });
    const url = pathToFileURL(join(home, "own.ts")).href;
    assert.equal(one({ plugin: join(home, "own.ts") }).plugin.url, url);
    assert.equal(one({ plugin: url }).plugin.url, url);
  });
  test("resolvePlugin passes npm:, jsr: and https: on", () => {
    for (const plugin of ["npm:x@1", "jsr:@a/b", "https://example.com/p.ts"]) {
      assert.equal(one({ plugin }).plugin.url, plugin);
    }
  });

  const packages: [string, string, object, string][] = [
    ["only an import condition", "p", { exports: { import: "./in.js" } }, "in.js"],
    [
      "import before require",
      "p",
      { exports: { require: "./no.cjs", import: "./in.js" } },
      "in.js",
    ],
    ["a string as exports", "p", { exports: "./in.js" }, "in.js"],
    ["a main", "p", { main: "in.js" }, "in.js"],
    [
      "a scope and a subpath",
      "@a/p/sub",
      { exports: { "./sub": { default: "./in.js" } } },
      "in.js",
    ],
    ["a pattern", "p/sub", { exports: { "./*": "./lib/*.js" } }, "lib/sub.js"],
  ];
  for (const [what, plugin, json, file] of packages) {
    test(`resolvePlugin finds a package with ${what}`, async (t) => {
      const name = plugin.startsWith("@") ? "@a/p" : "p";
      const home = folder(t, {
        "deep/portico.json": services(plugin),
        [`node_modules/${name}/package.json`]: JSON.stringify({ name, type: "module", ...json }),
        [`node_modules/${name}/${file}`]: PLUGIN,
      });
      const url = pathToFileURL(join(home, "node_modules", name, file)).href;
      assert.equal(await urlOf(join(home, "deep")), url);
      const source = await load(join(home, "deep"));
      const [service] = await prepare(expand(source), source);
      assert.equal(service!.plugin.name, "p");
    });
  }
  test("resolveExports prefers the longer pattern, and null closes a subpath", () => {
    const exports = { "./*": "./a/*.js", "./in/*": "./b/*.js", "./in/x": null };
    const known = new Set(["default"]);
    assert.equal(resolveExports(exports, "./in/y", known), "./b/y.js");
    assert.equal(resolveExports(exports, "./z", known), "./a/z.js");
    assert.equal(resolveExports(exports, "./in/x", known), undefined);
  });
});

describe("prepare", () => {
  test("prepare gives a plugin what its schema makes of the options", async (t) => {
    const path = folder(t, {
      "portico.json":
        '{"services":{"s":{"plugin":"./p.ts","listen":"tcp://*:0","options":{"n":2}}}}',
      "p.ts": `
const validate = async (value: { n: number }) => ({ value: { n: value.n * 2, more: true } });
export default { name: "p", transports: ["stream"], start: () => ({ data() {} }),
  options: { "~standard": { version: 1, vendor: "test", validate } } };`,
    });
    const source = await load(path);
    const [service] = await prepare(expand(source), source);
    assert.deepEqual(service!.options, { n: 4, more: true });
  });
});
