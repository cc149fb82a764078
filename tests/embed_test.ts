/** `portico/embed`: servers in this program. */
import assert from "node:assert/strict";
import { existsSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { pathToFileURL } from "node:url";
import { describe, test } from "node:test";
import {
  type EmbeddedServer,
  type Manifest,
  ManifestError,
  PorticoError,
  serve,
} from "portico/embed";
import { definePlugin, defineSink, type LogRecord, memoryRecords } from "../runtime/mod.ts";
import { ask } from "../runtime/control/client.ts";
import echo from "../plugins/echo.ts";
import { adapter, lackingTransport } from "./support/adapter.ts";
import { folder } from "./support/folder.ts";
import { askOnce, dial, openUdp } from "./support/peers.ts";
import { get } from "./support/requests.ts";
import type { Scope } from "./support/scope.ts";
import { pluginPath } from "./support/server-process.ts";
import { lackingStrategy, WORKERS } from "./support/strategies.ts";
import { gate, within } from "./support/until.ts";

const TCP = "tcp://127.0.0.1:0";
const HEARD = [
  ...["SIGINT", "SIGTERM", "SIGHUP", "SIGUSR2", "exit", "beforeExit"],
  ...["uncaughtException", "unhandledRejection"],
];

/** What a program finds out about its own process. */
function process_(): unknown {
  const umask = process.umask(0o022);
  process.umask(umask);
  const listeners = HEARD.map((event) => process.listenerCount(event));
  return {
    listeners,
    umask,
    cwd: process.cwd(),
    user: process.getuid?.(),
    env: { ...process.env },
  };
}

/** One that keeps quiet, and is gone when the test is over. */
async function quiet(t: Scope, manifest: Manifest): Promise<EmbeddedServer> {
  const server = await serve(manifest);
  t.after(() => server.kill());
  return server;
}

const wait = (started: () => void, until: Promise<void>) =>
  definePlugin({
    name: "wait",
    transports: ["stream"],
    async start() {
      started();
      await until;
      return { data() {} };
    },
  });

describe("serve", () => {
  test("serves plugins that are objects, named, a path and a URL, at every kind of address", async (t) => {
    const home = folder(t, { "app.js": `export default { fetch: () => new Response("app") };` });
    const listen = [
      TCP,
      "udp://127.0.0.1:0",
      ...(lackingTransport("unix") ? [] : ["unix:./e.sock"]),
    ];
    const services = {
      object: { plugin: echo, listen, options: { upper: true } },
      named: { plugin: "echo", listen: TCP },
      url: {
        plugin: pathToFileURL(pluginPath("versioned")).href,
        listen: TCP,
        options: { version: 3 },
      },
      app: { plugin: "./app.js", listen: "http://127.0.0.1:0" },
      own: { plugin: { fetch: () => new Response("own") }, listen: "http://127.0.0.1:0" },
    };
    {
      await using server = await serve({ services, defaults: { log: "none" } }, { folder: home });
      assert.equal(await askOnce(t, String(server.address("object", "tcp")), "hello"), "HELLO");
      const udp = await openUdp(t);
      const answer = await udp.ask("hello", String(server.address("object", "udp")));
      assert.equal(new TextDecoder().decode(answer), "HELLO");
      if (!lackingTransport("unix")) {
        assert.equal(await askOnce(t, `unix:${join(home, "e.sock")}`, "hello"), "HELLO");
      }
      assert.equal(await askOnce(t, String(server.address("named")), "hello"), "hello");
      assert.equal(await askOnce(t, String(server.address("url")), "version?"), "3");
      assert.equal((await get(String(server.address("app")), "/")).text, "app");
      assert.equal((await get(String(server.address("own")), "/")).text, "own");
      assert.equal(server.addresses("object").length, listen.length);
      const { services: running, pid } = server.status();
      assert.deepEqual(running.map(({ service }) => service), Object.keys(services));
      assert.equal(pid, process.pid);
    }
    assert.deepEqual(readdirSync(home), ["app.js"]);
  });

  test("leaves this process as it was: no signals, no handlers, nothing of it changed", async (t) => {
    const home = folder(t, {});
    const before = process_();
    const server = await quiet(t, {
      defaults: { log: "none" },
      services: { a: { plugin: echo, listen: TCP } },
    });
    assert.deepEqual(process_(), before);
    await server.stop();
    assert.deepEqual(process_(), before);
    assert.deepEqual(readdirSync(home), []);
  });

  for (const concurrency of WORKERS) {
    test(`a plugin that is named is served under ${concurrency}`, {
      skip: lackingStrategy(concurrency),
    }, async (t) => {
      await using server = await serve({
        defaults: { log: "none" },
        services: {
          echo: { plugin: pathToFileURL(pluginPath("words")).href, listen: TCP, concurrency },
        },
      });
      const answer = await askOnce(t, String(server.address("echo")), "?");
      assert.deepEqual(JSON.parse(answer), {
        scope: concurrency === "spawn" ? "session" : "worker",
      });
    });
    test(`a plugin that is an object is refused under ${concurrency}, with what to say instead`, async () => {
      await assert.rejects(
        serve({ services: { echo: { plugin: echo, listen: TCP, concurrency } } }),
        (error) => {
          assert.ok(error instanceof ManifestError && error instanceof PorticoError);
          const [{ file, path, received, expected }] = error.problems as [typeof error.problems[0]];
          assert.deepEqual([file, path], ["serve()", ["services", "echo", "plugin"]]);
          assert.match(
            received,
            /the object "echo" with the strategy .* cannot be given an object/,
          );
          assert.match(expected, /import\.meta\.resolve\("\.\/echo\.ts"\)/);
          return true;
        },
      );
    });
  }

  test("sinks may be objects: one that is open, a function, a type with its options", async (t) => {
    const got: Record<string, LogRecord[]> = { open: [], call: [], typed: [] };
    let closed = 0;
    const typed = defineSink<Record<never, never>>({
      name: "typed",
      open: () => ({
        write: (record) => void got["typed"]!.push(record),
        close: () => Promise.resolve(void closed++),
      }),
    });
    const server = await quiet(t, {
      sinks: { kept: { write: (record: LogRecord) => void got["open"]!.push(record) } },
      defaults: { log: ["kept", { type: typed, level: "warn" }] },
      services: {
        a: { plugin: echo, listen: TCP },
        b: { plugin: echo, listen: TCP, log: (record) => void got["call"]!.push(record) },
      },
    });
    await askOnce(t, String(server.address("a")), "x");
    await askOnce(t, String(server.address("b")), "x");
    await server.stop();
    const sessions = (name: string) =>
      got[name]!.filter(({ event }) => event === "open").map(({ service }) => service);
    assert.deepEqual([sessions("open"), sessions("call"), sessions("typed")], [["a"], ["b"], []]);
    assert.equal(closed, 1);
    assert.deepEqual(got["call"]!.at(-1)!.event, "stop");
  });

  test("a program's own exceptions stay its own, and a hook's are told", async (t) => {
    const records: LogRecord[] = [];
    const plugin = definePlugin({
      name: "throws",
      transports: ["stream"],
      start: () => ({
        data() {
          throw new Error("of a hook");
        },
      }),
    });
    await using server = await serve({
      services: {
        a: {
          plugin,
          listen: TCP,
          log: { type: (record) => void records.push(record), level: "warn" },
        },
      },
    });
    const peer = await dial(t, String(server.address("a")));
    peer.send("x");
    await peer.over();
    peer.end();
    assert.match(String(records[0]!["message"]), /of a hook/);
  });

  test("several servers in one program know nothing of each other", async (t) => {
    const services = { a: { plugin: echo, listen: TCP } };
    const first = await quiet(t, { defaults: { log: "none" }, services });
    const second = await quiet(t, { defaults: { log: "none" }, services });
    await askOnce(t, String(first.address("a")), "x");
    await first.stop();
    assert.equal(await askOnce(t, String(second.address("a")), "hello"), "hello");
    assert.deepEqual([first, second].map((one) => one.status().services[0]?.served ?? 1), [1, 1]);
  });

  test("a manifest may be a file, with its folder", async (t) => {
    const text = JSON.stringify({
      services: { a: { plugin: "echo", listen: TCP, log: "memory" } },
    });
    const home = folder(t, { "portico.json": text });
    for (const place of [home, pathToFileURL(join(home, "portico.json"))]) {
      await using server = await serve(place);
      assert.equal(await askOnce(t, String(server.address("a")), "hello"), "hello");
    }
    await using server = await serve("portico.json", { folder: pathToFileURL(home) });
    assert.equal(server.status().manifest, join(home, "portico.json"));
    assert.ok(memoryRecords().some(({ event }) => event === "ready"));
  });
});

describe("an embedded server", () => {
  test("reload changes what has changed, and keeps a plugin that is the same", async (t) => {
    const log = { defaults: { log: "none" } };
    const upper = { plugin: echo, listen: TCP, options: { upper: true } };
    const server = await quiet(t, {
      ...log,
      services: { a: { plugin: echo, listen: TCP }, b: upper },
    });
    const endpoint = String(server.address("a"));
    const keeps = await dial(t, endpoint);
    assert.deepEqual((await server.reload()).unchanged, ["a", "b"]);
    const { changed, unchanged } = await server.reload({
      ...log,
      services: { a: { ...upper }, b: upper },
    });
    assert.deepEqual([changed, unchanged], [["a"], ["b"]]);
    assert.equal(String(server.address("a")), endpoint);
    assert.equal(await askOnce(t, endpoint, "hello"), "HELLO");
    keeps.send("hello");
    await keeps.when("the answer of the plugin before", () => keeps.text === "hello");
    keeps.end();
    await assert.rejects(
      server.reload({ ...log, services: { a: { ...upper, limits: { idle: "60 parsecs" } } } }),
      /serve\(\) {2}services\.a\.limits\.idle\n {2}received {2}"60 parsecs"/,
    );
    // What was refused is forgotten.
    assert.deepEqual((await server.reload()).unchanged, ["a", "b"]);
  });

  test("suspend, resume, drain and stop are as those of portico ctl", async (t) => {
    const service = { plugin: echo, listen: TCP };
    const server = await quiet(t, {
      defaults: { log: "none" },
      services: { a: service, b: service },
    });
    const state = (name: string) =>
      server.status().services.find(({ service }) => service === name)!.state;
    assert.deepEqual(await server.suspend("a"), ["a"]);
    assert.deepEqual([state("a"), state("b")], ["suspended", "running"]);
    await server.resume("a");
    assert.equal(await askOnce(t, String(server.address("a")), "x"), "x");
    await server.drain("b");
    await server.stop("b");
    assert.equal(state("b"), "stopped");
    assert.throws(() => server.address("b"), /the service "b" listens nowhere/);
    await server.restart("b");
    assert.equal(await askOnce(t, String(server.address("b")), "x"), "x");
    assert.throws(() => server.address("c"), { code: "USAGE", message: /no service "c": a, b/ });
    await assert.rejects(server.suspend("c"), { code: "USAGE" });
    await server.stop();
    await server.stop();
    await server.finished;
    await assert.rejects(server.suspend(), { code: "NOT_SUPPORTED" });
  });

  test("address wants to know which, where there are several", async (t) => {
    const listen = [TCP, "udp://127.0.0.1:0"];
    const server = await quiet(t, {
      defaults: { log: "none" },
      services: { a: { plugin: echo, listen } },
    });
    assert.throws(() => server.address("a"), /listens at tcp:.*, udp:.*; say which transport/);
    assert.throws(() => server.address("a", "unix"), /listens nowhere by unix; it listens at tcp:/);
    assert.ok(server.address("a", "udp").port > 0);
  });

  test("stop drains, kill does not wait", async (t) => {
    const manifest = { defaults: { log: "none" }, services: { a: { plugin: echo, listen: TCP } } };
    const server = await quiet(t, manifest);
    const peer = await dial(t, String(server.address("a")));
    peer.send("one");
    await peer.when("an answer", () => peer.text === "one");
    const stopped = server.stop();
    peer.send("two");
    await peer.when("an answer while it drains", () => peer.text === "onetwo");
    peer.end();
    await within("the end of the server", stopped);
    const other = await quiet(t, manifest);
    const stays = await dial(t, String(other.address("a")));
    stays.send("x");
    await stays.when("an answer", () => stays.text === "x");
    const draining = other.stop();
    await within("the end of the server, at once", other.kill());
    await draining;
    await stays.over();
  });

  test("a signal ends it, and a start that is under way", async (t) => {
    const controller = new AbortController();
    const manifest = { defaults: { log: "none" }, services: { a: { plugin: echo, listen: TCP } } };
    const server = await serve(manifest, { signal: controller.signal });
    t.after(() => server.kill());
    controller.abort();
    await within("the end of the server", server.finished);
    await assert.rejects(serve(manifest, { signal: controller.signal }), { name: "AbortError" });
    const [second, begun, go] = [new AbortController(), gate(), gate()];
    const plugin = wait(begun.open, go.passed);
    const home = folder(t, {});
    const listen = lackingTransport("unix") ? TCP : "unix:./a.sock";
    const services = { a: { plugin, listen }, b: { plugin: echo, listen: TCP } };
    const starting = serve({ defaults: { log: "none" }, services }, {
      folder: home,
      signal: second.signal,
    });
    await begun.passed;
    second.abort(new Error("not any more"));
    go.open();
    await assert.rejects(starting, /not any more/);
    assert.deepEqual(readdirSync(home), []);
  });

  test("it has a control socket where the manifest asks for one", {
    skip: lackingTransport("unix"),
  }, async (t) => {
    const home = folder(t, {});
    const services = { a: { plugin: echo, listen: TCP } };
    const manifest = { control: "unix:./c", defaults: { log: "none" }, services };
    const server = await serve(manifest, { folder: home });
    t.after(() => server.kill());
    const control = join(home, "c");
    const status = await ask(adapter, control, { command: "status" }) as { pid: number };
    assert.equal(status.pid, process.pid);
    await assert.rejects(ask(adapter, control, { command: "upgrade" }), /part of a program/);
    await ask(adapter, control, { command: "stop" });
    await within("the end of the server", server.finished);
    assert.ok(!existsSync(control));
  });
});

describe("serve refuses", () => {
  test("what concerns the process, with its place", async () => {
    const services = { a: { plugin: echo, listen: TCP } };
    for (const manifest of [{ user: "nobody", services }, { umask: "027", services }]) {
      await assert.rejects(serve(manifest), {
        code: "MANIFEST_INVALID",
        message: /serve\(\) {2}(?:user|umask)\n/,
      });
    }
  });

  test("what is no manifest, no plugin and no option, with its place", async (t) => {
    const cases: [unknown, RegExp][] = [
      [{}, /^serve\(\)\n {2}received {2}no "services"/],
      [undefined, /^serve\(\)\n {2}received {2}nothing/],
      [
        { services: { a: { plugin: {}, listen: TCP } } },
        /services\.a\.plugin\n.*\n.*a plugin with a "name"/,
      ],
      [{ services: { a: { plugin: () => {}, listen: TCP } } }, /services\.a\.plugin\n/],
      [
        { services: { a: { plugin: echo, listen: TCP, options: { upper: 1 } } } },
        /services\.a\.options\.upper\n {2}received {2}1/,
      ],
      [
        { services: { a: { plugin: echo, listen: TCP, log: { type: {} } } } },
        /services\.a\.log\.type\n/,
      ],
      [
        { services: { a: { plugin: "ehco", listen: TCP } } },
        /services\.a\.plugin\n[^]*did you mean "echo"/,
      ],
    ];
    for (const [manifest, expected] of cases) {
      await assert.rejects(serve(manifest as never), (error) => {
        assert.ok(error instanceof ManifestError, String(error));
        assert.match(error.message, expected);
        return true;
      });
    }
    const home = folder(t, {});
    await assert.rejects(serve("nowhere", { folder: home }), { code: "MANIFEST_NOT_FOUND" });
    writeFileSync(join(home, "portico.json"), "{");
    await assert.rejects(serve(home), { code: "MANIFEST_SYNTAX" });
  });

  test("an address that is taken, and leaves nothing of those before it", async (t) => {
    const first = await quiet(t, {
      defaults: { log: "none" },
      services: { a: { plugin: echo, listen: TCP } },
    });
    const home = folder(t, {});
    const listen = lackingTransport("unix") ? TCP : "unix:./a.sock";
    const services = {
      b: { plugin: echo, listen },
      c: { plugin: echo, listen: String(first.address("a")) },
    };
    const starting = serve({ defaults: { log: "none" }, services }, { folder: home });
    await assert.rejects(starting, { code: "EADDRINUSE", message: /^service "c"/ });
    assert.deepEqual(readdirSync(home), []);
  });
});
