import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { PorticoError } from "../../runtime/core/errors.ts";
import { errorFields, Log } from "../../runtime/core/log.ts";
import type { Level, LogRecord } from "../../runtime/core/record.ts";
import { LEVELS } from "../../runtime/core/record.ts";

const quiet = (): void => {};

function sinkOf(records: LogRecord[]) {
  return { write: (record: LogRecord) => void records.push(record) };
}

describe("Log", () => {
  test("Log gives each sink what it wants, and wants what any of them does", () => {
    const lists: Record<Level, LogRecord[]> = { debug: [], info: [], warn: [], error: [] };
    const outlets = (["warn", "info"] as const).map((level) => ({
      name: level,
      sink: sinkOf(lists[level]),
      level,
    }));
    const log = new Log(outlets, quiet);
    assert.deepEqual(LEVELS.map((level) => log.wants(level, "log")), [false, true, true, true]);
    for (const level of LEVELS) log.emit(level, "log", { text: level });
    assert.deepEqual(lists.warn.map(({ text }) => text), ["warn", "error"]);
    assert.deepEqual(lists.info.map(({ text }) => text), ["info", "warn", "error"]);
  });

  test("Log makes records with time, level and event first", () => {
    const records: LogRecord[] = [];
    const before = Date.now();
    new Log([{ name: "list", sink: sinkOf(records), level: "debug" }], quiet)
      .emit("info", "open", { service: "echo", session: 7 });
    const [record] = records;
    assert.deepEqual(Object.keys(record!), ["time", "level", "event", "service", "session"]);
    assert.ok(record!.time >= before && record!.time <= Date.now());
  });

  test("Log without sinks wants nothing", () => {
    const log = new Log([], quiet);
    assert.ok(LEVELS.every((level) => !log.wants(level, "log")));
    log.emit("error", "log", {});
  });

  test("a sink that throws is switched off, and reported once; the others go on", () => {
    const records: LogRecord[] = [];
    const broken: unknown[] = [];
    let calls = 0;
    const bad = {
      write() {
        calls++;
        throw new Error("disk full");
      },
    };
    const log = new Log([
      { name: "bad", sink: bad, level: "debug" },
      { name: "good", sink: sinkOf(records), level: "warn" },
    ], (name, error) => broken.push(name, (error as Error).message));
    for (let i = 0; i < 5; i++) log.emit("error", "log", { i });
    assert.equal(calls, 1);
    assert.deepEqual(broken, ["bad", "disk full"]);
    assert.deepEqual(records.map(({ i }) => i), [0, 1, 2, 3, 4]);
    assert.equal(log.wants("debug", "log"), false, "nobody wants it any more");
  });

  test("a log whose only sink is broken stays silent", () => {
    const log = new Log([{
      name: "bad",
      sink: {
        write() {
          throw new Error("no");
        },
      },
      level: "debug",
    }], quiet);
    log.emit("error", "log", {});
    assert.equal(log.wants("error", "log"), false);
    log.emit("error", "log", {});
  });

  test("errorFields has the stack of what a plugin threw, and of nothing else", () => {
    const cause = new Error("inside");
    const plugin = errorFields(new PorticoError("HOOK_FAILED", "inside", { cause }));
    assert.equal(plugin.code, "HOOK_FAILED");
    assert.equal(plugin.side, "plugin");
    assert.equal(plugin.stack, cause.stack);
    const peer = errorFields(new PorticoError("ECONNRESET", undefined, { cause }));
    assert.deepEqual(peer, {
      code: "ECONNRESET",
      message: "the peer reset the connection",
      side: "peer",
    });
  });
});
