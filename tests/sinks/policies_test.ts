import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { MemoryAdapter } from "../../adapters/memory/mod.ts";
import { Log, type Outlet } from "../../runtime/core/log.ts";
import type { SinkPlan } from "../../runtime/core/plan.ts";
import { type EventName, EVENTS, type LogRecord } from "../../runtime/core/record.ts";
import { clearMemory, memoryRecords } from "../../runtime/sinks/memory.ts";
import { type OpenSink, openSinks, unite } from "../../runtime/sinks/mod.ts";
import { selectFields } from "../../runtime/sinks/policies.ts";
import { record } from "./record.ts";

const quiet = (): void => {};

function list(wanted: Omit<Outlet, "name" | "sink">): { records: LogRecord[]; outlet: Outlet } {
  const records: LogRecord[] = [];
  const sink = { write: (record: LogRecord) => void records.push(record) };
  return { records, outlet: { name: "list", sink, ...wanted } };
}

describe("events", () => {
  test("a sink gets its events only, and the log wants what any of them does", () => {
    const some = list({ level: { close: "info", error: "warn" } });
    const warnings = list({ level: "warn" });
    const log = new Log([some.outlet, warnings.outlet], quiet);
    assert.equal(log.wants("info", "close"), true);
    assert.equal(log.wants("info", "open"), false);
    assert.equal(log.wants("warn", "open"), true);
    for (const event of ["open", "close", "error"] as const) {
      for (const level of ["info", "warn"] as const) log.emit(level, event, {});
    }
    const told = (records: LogRecord[]) => records.map(({ level, event }) => `${level} ${event}`);
    assert.deepEqual(told(some.records), ["info close", "warn close", "warn error"]);
    assert.deepEqual(told(warnings.records), ["warn open", "warn close", "warn error"]);
  });

  test("a log that has what another wants wants just that", () => {
    const outlets = [
      list({ level: { close: "debug" }, sample: 0.5 }).outlet,
      list({ level: { open: "warn", close: "info" }, sample: 0.25 }).outlet,
    ];
    const { wanted } = new Log(outlets, quiet);
    assert.deepEqual(wanted, { level: { close: "debug", open: "warn" }, sample: 0.5 });
    const far = new Log([list(wanted!).outlet], quiet);
    const answers = (log: Log) =>
      EVENTS.flatMap((event) =>
        (["debug", "info", "warn", "error"] as const).map((level) => log.wants(level, event, 9))
      );
    assert.deepEqual(answers(far), answers(new Log(outlets, quiet)));
    assert.equal(new Log([list({ level: {} }).outlet], quiet).wanted, undefined);
  });
});

describe("sample", () => {
  test("a share of the sessions is kept, each of them whole; warnings always are", () => {
    const { records, outlet } = list({ level: "info", sample: 0.1 });
    const log = new Log([outlet], quiet);
    for (let session = 1; session <= 10_000; session++) {
      for (const event of ["open", "close"] as const) log.emit("info", event, { session });
    }
    const opened = records.filter(({ event }) => event === "open").map(({ session }) => session);
    const closed = records.filter(({ event }) => event === "close").map(({ session }) => session);
    assert.deepEqual(opened, closed);
    assert.ok(Math.abs(opened.length - 1000) < 50, `${opened.length} of 10000`);
    const out = Array.from({ length: 100 }, (_, n) => n + 1).find((n) => !opened.includes(n))!;
    records.length = 0;
    assert.equal(log.wants("info", "open", out), false);
    assert.equal(log.wants("warn", "error", out), true);
    log.emit("warn", "error", { session: out });
    log.emit("info", "ready", {});
    assert.deepEqual(records.map(({ event }) => event), ["error", "ready"]);
  });

  test("0 keeps none, 1 keeps all", () => {
    for (const [sample, kept] of [[0, 0], [1, 1000]] as const) {
      const { records, outlet } = list({ level: "info", sample });
      const log = new Log([outlet], quiet);
      for (let session = 1; session <= 1000; session++) log.emit("info", "open", { session });
      assert.equal(records.length, kept);
    }
  });
});

describe("fields", () => {
  const open = { service: "a", session: 1, remote: "tcp://1.2.3.4:5", local: "tcp://1.2.3.4:7" };
  const close = { service: "a", session: 1, durationMs: 5, bytesIn: 1, bytesOut: 2, reason: "x" };
  const table: [readonly string[], Record<EventName & string, string[]>][] = [
    [["host"], { open: ["remote"], close: [], refuse: ["remote", "rule"] } as never],
    [["duration", "traffic"], {
      open: [],
      close: ["durationMs", "bytesIn", "bytesOut"],
      refuse: ["rule"],
    } as never],
    [["local", "exit"], { open: ["local"], close: ["reason"], refuse: ["local", "rule"] } as never],
    [[], { open: [], close: [], refuse: ["rule"] } as never],
  ];
  for (const [names, expected] of table) {
    test(`[${names}] leaves these fields in records of sessions, and others whole`, () => {
      const { records, outlet } = list({ level: "info" });
      const sink = selectFields(outlet.sink, names);
      sink.write(record({ event: "open", ...open }));
      sink.write(record({ event: "close", ...close }));
      sink.write(record({ event: "refuse", ...open, rule: "deny" }));
      sink.write(record({ event: "error", ...open, code: "EMFILE", message: "m" }));
      const left = records.map(({ time, level, event, service, session, ...rest }) => {
        assert.deepEqual([typeof time, level, service, session], ["number", "info", "a", 1]);
        return [event, Object.keys(rest)];
      });
      assert.deepEqual(left, [
        ...Object.entries(expected),
        ["error", ["remote", "local", "code", "message"]],
      ]);
    });
  }
});

describe("references", () => {
  const host = { adapter: new MemoryAdapter(), warn: quiet };
  const memory = (name: string, more: Partial<SinkPlan> = {}): SinkPlan => ({
    name,
    type: "memory",
    level: "info",
    options: { limit: 3 },
    ...more,
  });

  test("policies belong to the reference: the sink is one, for the server as well", async () => {
    const opened = new Map<string, OpenSink>();
    const first = await openSinks(
      [memory("one", { events: ["close"], fields: ["duration"] })],
      host,
      opened,
    );
    const second = await openSinks([memory("one", { level: "warn" })], host, opened);
    assert.equal(opened.size, 1);
    assert.equal(first[0]!.base, second[0]!.base);
    const united = unite([...first, ...second]);
    assert.equal(united.length, 1);
    const log = new Log(united, quiet);
    assert.equal(log.wants("info", "close"), true);
    assert.equal(log.wants("info", "ready"), false);
    assert.equal(log.wants("warn", "ready"), true);
  });

  test("none is no sink: nothing is wanted, nothing is made", async () => {
    const outlets = await openSinks(
      [{ name: "none", type: "none", level: "debug", options: {} }],
      host,
    );
    const log = new Log(outlets, quiet);
    assert.ok(EVENTS.every((event) => !log.wants("error", event)));
    assert.equal(log.wanted, undefined);
  });

  test("memory keeps the last records of each name, and counts the others", async () => {
    const opened = new Map<string, OpenSink>();
    const [one, two] = await openSinks([memory("one"), memory("two")], host, opened);
    for (let n = 1; n <= 5; n++) one!.sink.write(record({ n }));
    two!.sink.write(record({ n: 9 }));
    assert.deepEqual(memoryRecords("one").map(({ n }) => n), [3, 4, 5]);
    assert.deepEqual(memoryRecords("two").map(({ n }) => n), [9]);
    assert.equal(one!.base.dropped!(), 2);
    clearMemory("one");
    assert.deepEqual(memoryRecords("one"), []);
    one!.sink.write(record({ n: 6 }));
    assert.deepEqual(memoryRecords("one").map(({ n }) => n), [6]);
    assert.deepEqual(memoryRecords("nobody"), []);
  });

  test("one that cannot be opened is left out when it is optional, and told of", async () => {
    const told: string[] = [];
    const plan: SinkPlan = {
      name: "audit",
      type: "file",
      level: "info",
      options: { path: "/no/such/folder/a.log", format: "json" },
    };
    const warn = (message: string) => void told.push(message);
    await assert.rejects(openSinks([plan], { ...host, warn }), { code: "ENOENT", side: "config" });
    const outlets = await openSinks([{ ...plan, optional: true }, memory("one")], {
      ...host,
      warn,
    });
    assert.deepEqual(outlets.map(({ name }) => name), ["audit", "one"]);
    assert.equal(told.length, 1);
    outlets[0]!.sink.write(record({ n: 1 }));
    assert.equal(outlets[0]!.base.dropped!(), 1, "what it misses is counted");
    assert.match(told[0]!, /^the sink audit is left out: Cannot open \/no\/such\/folder\/a.log/);
  });
});
