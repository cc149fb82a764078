import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { MemoryAdapter } from "../../adapters/memory/mod.ts";
import { CODES, messageOf, PorticoError, toPorticoError } from "../../runtime/core/errors.ts";
import { Gather } from "../../runtime/core/stream/gather.ts";
import { startPlugin } from "../../runtime/core/hooks.ts";
import { Log } from "../../runtime/core/log.ts";
import { DatagramPipeline } from "../../runtime/core/datagram/pipeline.ts";
import { StreamPipeline } from "../../runtime/core/stream/pipeline.ts";
import type { Hooks } from "../../runtime/core/plugin.ts";
import type { LogRecord } from "../../runtime/core/record.ts";
import { Service } from "../../runtime/core/service.ts";
import type { ReadyService } from "../../runtime/daemon/server.ts";
import { lacking } from "../../runtime/strategies/lacking.ts";
import { readyService, startReady } from "../support/in-process.ts";
import { until } from "../support/until.ts";

/** A service of that name, as the manifest would make it. */
function ready(
  name: string,
  listen: string,
  hooks: Hooks<never>,
  records: LogRecord[] = [],
  socketOptions = {},
): ReadyService {
  const sinks = [
    {
      name: "broken",
      level: "debug" as const,
      sink: {
        write() {
          throw new Error("disk full");
        },
      },
    },
    {
      name: "list",
      level: "debug" as const,
      sink: { write: (record: LogRecord) => void records.push(record) },
    },
  ];
  const log = new Log(sinks, (sink, error) => {
    records.push({ time: 0, level: "warn", event: "error", sink, message: messageOf(error) });
  });
  const settings = { name, listen: [listen], socketOptions, limits: { start: 50 } };
  return readyService(hooks, log, settings);
}

const echo: Hooks<never> = { data: (session, chunk) => void session.write(chunk) };

describe("startServer", () => {
  test("startServer runs several services, and a broken sink costs none of them a session", async () => {
    const adapter = new MemoryAdapter();
    const records: LogRecord[] = [];
    const services = ["one", "two"].map((name, i) =>
      ready(name, `tcp://127.0.0.1:${i + 1}`, echo, records)
    );
    const running = await startReady(services, adapter);
    assert.deepEqual(running.endpoints.map(({ service, address }) => `${service} ${address}`), [
      "one tcp://127.0.0.1:1",
      "two tcp://127.0.0.1:2",
    ]);
    const peers = running.endpoints.map(({ address }) => adapter.peer(address));
    for (const peer of peers) peer.write("hello");
    await until("both echoes", () => peers.every((peer) => peer.text() === "hello"));
    await running.kill();
    assert.equal(records.filter(({ sink }) => sink === "broken").length, 2, "once for each log");
    const opens = records.filter(({ event }) => event === "open");
    assert.equal(new Set(opens.map(({ session }) => session)).size, 2, "numbers are the process's");
  });

  test("startServer starts all or nothing: what ran is stopped, the error names the service", async () => {
    const adapter = new MemoryAdapter();
    const stopped: string[] = [];
    const hooks = (name: string) => ({ ...echo, stop: () => void stopped.push(name) });
    const services = [
      ready("first", "tcp://127.0.0.1:1", hooks("first")),
      ready("second", "tcp://127.0.0.1:1", hooks("second")),
      ready("third", "tcp://127.0.0.1:3", hooks("third")),
    ];
    await assert.rejects(startReady(services, adapter), {
      code: "EADDRINUSE",
      side: "config",
      message: /service "second": .*tcp:\/\/127\.0\.0\.1:1/,
    });
    assert.ok(stopped.includes("first"));
    assert.equal(stopped.includes("third"), false);
    for (const port of [1, 3]) {
      assert.throws(() => adapter.peer(`tcp://127.0.0.1:${port}`), { code: "ECONNREFUSED" });
    }
  });

  test("startServer refuses what the adapter lacks before anything is bound or started", async () => {
    const adapter = new MemoryAdapter();
    let starts = 0;
    const first = ready("first", "tcp://127.0.0.1:1", echo);
    const counted = {
      ...first,
      plugin: { ...first.plugin, start: () => ({ data() {}, n: starts++ }) },
    };
    const second = ready("second", "tcp://127.0.0.1:2", echo, [], { backlog: 7 });
    await assert.rejects(startReady([counted as never, second], adapter), {
      code: "NOT_SUPPORTED",
      message: /service "second": backlog of tcp:\/\/127\.0\.0\.1:2: there is no socket/,
    });
    assert.equal(starts, 0);
    assert.throws(() => adapter.peer("tcp://127.0.0.1:1"), { code: "ECONNREFUSED" });
  });

  test("lacking names transports, options and strategies, with their reasons", () => {
    const adapter = new MemoryAdapter();
    assert.deepEqual(lacking(ready("s", "tcp://127.0.0.1:1", echo).plan, adapter), []);
    const { plan } = ready("s", "https://127.0.0.1:1", echo);
    const [lack] = lacking(plan, adapter);
    assert.equal(lack!.what, "https://127.0.0.1:1");
    assert.ok(lack!.reason.length > 10);
  });
});

describe("startPlugin", () => {
  const fails: readonly (readonly [string, () => unknown, string, RegExp])[] = [
    [
      "throws",
      () => {
        throw new Error("no database");
      },
      "START_FAILED",
      /plugin "p" failed: no database/,
    ],
    ["rejects", () => Promise.reject(new Error("no database")), "START_FAILED", /no database/],
    ["does not return", () => new Promise(() => {}), "START_TIMEOUT", /within 20 ms/],
    [
      "returns nothing",
      () => undefined,
      "PLUGIN_INVALID",
      /an object of hooks: received undefined/,
    ],
    ["returns no form", () => ({ setup() {} }), "PLUGIN_INVALID", /none of the hooks data, handle/],
    ["returns two", () => ({ data() {}, handle() {} }), "PLUGIN_INVALID", /both data and handle/],
    ["returns a text", () => ({ data: "x" }), "PLUGIN_INVALID", /hook `data` that is no function/],
  ];
  for (const [how, start, code, message] of fails) {
    test(`a start that ${how} is ${code}, and names the plugin`, async () => {
      await assert.rejects(startPlugin("p", start, 20), { code, message, side: "config" });
    });
  }

  test("a start may return its hooks later", async () => {
    const hooks = { data() {} };
    assert.equal(await startPlugin("p", () => Promise.resolve(hooks), 1000), hooks);
  });
});

describe("sides", () => {
  test("what an adapter reports is a record of the service, at the level of the side at fault", () => {
    const records: LogRecord[] = [];
    const { plan, log } = ready("s", "tcp://127.0.0.1:1", echo, records);
    const adapter = new MemoryAdapter();
    const gather = new Gather(adapter);
    const service = new Service({
      plan,
      hooks: echo as Hooks,
      log,
      gather,
      lends: "never",
      nextId: () => 1,
    });
    new StreamPipeline(service).table.failure(new PorticoError("EMFILE"));
    new DatagramPipeline(service).table.failure(
      undefined as never,
      new PorticoError("ECONNREFUSED"),
    );
    service.report(new PorticoError("HOOK_FAILED"), 7);
    const errors = records.filter(({ sink }) => sink === undefined);
    assert.deepEqual(errors.map(({ level, code, side, session }) => [level, code, side, session]), [
      ["warn", "EMFILE", "host", undefined],
      ["debug", "ECONNREFUSED", "peer", undefined],
      ["error", "HOOK_FAILED", "plugin", 7],
    ]);
    assert.equal(service.counters.errors, 3);
  });

  test("every code has a side and a text; toPorticoError keeps what it knows", () => {
    for (const [code, [side, text]] of Object.entries(CODES)) {
      assert.match(side, /^(peer|plugin|host|config)$/);
      assert.ok(text.length > 5, code);
    }
    const thrown = Object.assign(new Error("read ECONNRESET"), { code: "ECONNRESET" });
    const known = toPorticoError(thrown, "ACCEPT_FAILED");
    assert.equal(known.code, "ECONNRESET");
    assert.equal(known.side, "peer");
    assert.equal(known.cause, thrown);
    const unknown = toPorticoError(
      Object.assign(new Error("?"), { code: "toString" }),
      "ACCEPT_FAILED",
    );
    assert.equal(unknown.code, "ACCEPT_FAILED");
    assert.equal(toPorticoError(known, "ACCEPT_FAILED"), known);
  });
});
