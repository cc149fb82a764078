/** One record for each session that says all: `close` of streams; `request` and `datagram` where they are asked for. */
import assert from "node:assert/strict";
import { describe, test, type TestContext } from "node:test";
import { Log } from "../../runtime/core/log.ts";
import type { Hooks, Plugin } from "../../runtime/core/plugin.ts";
import { EVENTS, type LogRecord, ON_DEMAND } from "../../runtime/core/record.ts";
import { levelsOf, unite } from "../../runtime/sinks/policies.ts";
import { describeRecord as inWords } from "../../runtime/sinks/words.ts";
import { adapter } from "../support/adapter.ts";
import { InProcessServer, readyService } from "../support/in-process.ts";
import { InMemoryServer, PEER } from "../support/in-memory.ts";
import { MemoryAdapter } from "../../adapters/memory/mod.ts";
import { get } from "../support/requests.ts";
import { until } from "../support/until.ts";

/** A log with one sink that names these events, and its records. */
function logOf(events?: readonly (typeof EVENTS[number])[]): [Log, LogRecord[]] {
  const records: LogRecord[] = [];
  const sink = { write: (record: LogRecord) => void records.push(record) };
  const level = levelsOf({ level: "debug", ...(events && { events }) });
  return [new Log([{ name: "list", sink, level }], () => {}), records];
}

async function inMemory(t: TestContext, hooks: Hooks<never>, log: Log): Promise<InMemoryServer> {
  const server = new InMemoryServer(new MemoryAdapter());
  const listen = ["tcp://127.0.0.1:7", "udp://127.0.0.1:7"];
  return await server.start(t, [readyService(hooks, log, { listen })]);
}

/** A service of HTTP on the adapter of this runtime. */
async function web(t: TestContext, log: Log): Promise<InProcessServer> {
  const server = new InProcessServer(adapter);
  const plugin: Plugin = {
    name: "web",
    transports: ["http"],
    start: () => ({
      fetch: ({ url }) => {
        if (url.includes("bad")) throw new Error("bad luck");
        return new Response("four");
      },
    }),
  };
  const settings = { listen: ["http://127.0.0.1:0"] };
  const ready = readyService(plugin as unknown as Plugin<never, never>, log, settings);
  return await server.start(t, [ready]);
}

test("close says who it was, also to a sink that has heard of no open", async (t) => {
  const [log, records] = logOf(["close"]);
  const server = await inMemory(t, { data: (session, chunk) => session.end(chunk) }, log);
  const peer = server.connect("192.0.2.9");
  peer.write("abc");
  await until("the echo", () => peer.text() === "abc");
  peer.end();
  await until("the record", () => records.length === 1);
  const { time: _, durationMs: __, session: ___, ...close } = records[0]!;
  assert.deepEqual(close, {
    level: "info",
    event: "close",
    service: "tested",
    remote: "tcp://192.0.2.9:1234",
    bytesIn: 3,
    bytesOut: 3,
    reason: "done",
  });
});

test("close knows a remote of TCP that nobody has asked for before it left", async (t) => {
  const [log, records] = logOf(["close"]);
  const server = new InProcessServer(adapter);
  const hooks: Hooks<never> = { data() {} };
  await server.start(t, [readyService(hooks, log, { listen: ["tcp://127.0.0.1:0"] })]);
  const { knock } = await import("../support/peers.ts");
  await knock(server.endpoint());
  await until("the record", () => records.length === 1);
  assert.match(String(records[0]!["remote"]), /^tcp:\/\/127\.0\.0\.1:[1-9]\d*$/);
});

describe("datagram", () => {
  test("is one record for each, for a sink that names it", async (t) => {
    const [log, records] = logOf(["datagram"]);
    const server = await inMemory(t, { data: (session, bytes) => void session.write(bytes) }, log);
    server.send("abc");
    server.send("defgh");
    await until("the records", () => records.length === 2);
    const { time, durationMs, session, ...second } = records[1]!;
    assert.ok(time > 0 && session! > 0 && (durationMs as number) >= 0);
    assert.deepEqual(second, {
      level: "info",
      event: "datagram",
      service: "tested",
      remote: String(PEER),
      local: "udp://127.0.0.1:7",
      bytesIn: 5,
      bytesOut: 5,
      reason: "done",
    });
    assert.equal(
      inWords({ ...records[1]!, durationMs: 3 }),
      `#${session} datagram of ${PEER} after 3 ms, 5 B in, 5 B out local=udp://127.0.0.1:7`,
    );
  });

  test("names an error", async (t) => {
    const [log, records] = logOf(["datagram"]);
    const data = (): never => {
      throw new Error("bad luck");
    };
    (await inMemory(t, { data }, log)).send("abc");
    await until("the record", () => records.length === 1);
    const [{ reason, code, message } = {} as LogRecord] = records;
    assert.deepEqual([reason, code, message], ["error", "HOOK_FAILED", "bad luck"]);
  });
});

describe("request", () => {
  test("is one record for each, for a sink that names it", async (t) => {
    const [log, records] = logOf(["request"]);
    const server = await web(t, log);
    const endpoint = server.endpoint();
    assert.equal((await get(endpoint, "/a/b?secret=1")).status, 200);
    assert.equal((await get(endpoint, "/bad", { method: "POST", body: "x" })).status, 500);
    await until("the records", () => records.length === 2);
    const [good, bad] = records.map(
      ({ time: _, durationMs: __, session: ___, remote, ...rest }) => {
        assert.match(String(remote), /^tcp:\/\/127\.0\.0\.1:\d+$/);
        return rest;
      },
    );
    const common = { level: "info", event: "request", service: "tested", local: endpoint };
    assert.deepEqual(good, {
      ...common,
      method: "GET",
      path: "/a/b",
      status: 200,
      reason: "done",
    });
    assert.deepEqual(bad, {
      ...common,
      method: "POST",
      path: "/bad",
      status: 500,
      reason: "error",
      code: "HOOK_FAILED",
      message: "bad luck",
    });
  });
});

describe("access records", () => {
  test("nobody gets them who has not named them, at whatever level", () => {
    const [log] = logOf();
    for (const event of ON_DEMAND) assert.equal(log.wants("error", event), false);
    assert.equal(log.wants("debug", "close"), true);
    assert.deepEqual(
      Object.keys(log.wanted!.level).filter((name) => ON_DEMAND.includes(name as never)),
      [],
    );
  });

  test("what a worker is told of them, and what sinks come to together", () => {
    const [log] = logOf(["datagram"]);
    assert.deepEqual(log.wanted!.level, { datagram: "debug" });
    const sink = { write() {} };
    const both = [
      { name: "a", sink, base: sink, level: "info" as const },
      { name: "b", sink, base: sink, level: levelsOf({ level: "info", events: ["request"] }) },
    ];
    const [united] = unite(both);
    assert.deepEqual(
      Object.keys(united!.level),
      EVENTS.filter((event) => event !== "datagram"),
    );
  });

  test("a sample holds for who is turned away, too: there may be any number", () => {
    const records: LogRecord[] = [];
    const sink = { write: (record: LogRecord) => void records.push(record) };
    const log = new Log([{ name: "s", sink, level: "info", sample: 0.1 }], () => {});
    for (let session = 1; session <= 1000; session++) {
      log.emit("warn", "refuse", { session });
      log.emit("warn", "error", { session });
    }
    const refused = records.filter(({ event }) => event === "refuse").length;
    assert.ok(refused > 50 && refused < 150, `${refused}`);
    assert.equal(records.length - refused, 1000);
  });
});
