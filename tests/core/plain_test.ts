import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { messageOf } from "../../runtime/core/errors.ts";
import { makeLogger } from "../../runtime/core/hooks.ts";
import { Log } from "../../runtime/core/log.ts";
import { plainValue } from "../../runtime/core/plain.ts";
import type { LogRecord } from "../../runtime/core/record.ts";
import { journalEntry } from "../../runtime/sinks/journald/native.ts";
import { rfc3164 } from "../../runtime/sinks/syslog/rfc3164.ts";
import { rfc5424 } from "../../runtime/sinks/syslog/rfc5424.ts";
import { textLine } from "../../runtime/sinks/text.ts";
import { json, lineOf } from "../sinks/record.ts";

const circle: Record<string, unknown> = {};
circle["self"] = circle;
const bare = Object.create(null);
bare.self = bare;
const throwing = {
  toJSON() {
    throw new Error("no JSON");
  },
  toString() {
    throw new Error("no text");
  },
};
const { proxy, revoke } = Proxy.revocable({}, {});
revoke();

/** What a plugin may log, by name; and what the record holds of it. */
const VALUES: [string, unknown, unknown][] = [
  ["text", "a\nb", "a\nb"],
  ["a number", -1.5, -1.5],
  ["no number", NaN, "NaN"],
  ["an infinite number", -Infinity, "-Infinity"],
  ["nothing", null, null],
  ["undefined", undefined, undefined],
  ["a bigint", 10n, "10"],
  ["a symbol", Symbol("s"), "Symbol(s)"],
  ["a function", () => 1, undefined],
  ["an error", new Error("bad luck"), "bad luck"],
  ["an error whose message is none", Object.assign(new Error("x"), { message: 7 }), "7"],
  ["an object", { a: [1, { b: "c" }], f() {} }, { a: [1, { b: "c" }] }],
  ["an object without a prototype", Object.assign(Object.create(null), { a: 1 }), { a: 1 }],
  ["a date", new Date(0), "1970-01-01T00:00:00.000Z"],
  ["a circle", circle, "[object Object]"],
  ["a circle without a prototype", bare, "[object Object]"],
  ["a bigint inside", { a: 1n }, "[object Object]"],
  ["an object that is nothing in JSON", { toJSON() {} }, undefined],
  ["an object that throws", throwing, "[object Object]"],
  ["a proxy that was revoked", proxy, "[object Object]"],
];

describe("plainValue", () => {
  for (const [name, value, expected] of VALUES) {
    test(`plainValue of ${name}`, () => {
      const plain = plainValue(value);
      assert.deepEqual(plain, expected);
      if (typeof value === "object" && value !== null) assert.notEqual(plain, value);
    });
  }

  test("a logger gives records of its own, which every format can write", () => {
    const records: LogRecord[] = [];
    const broken = (name: string, error: unknown): never => {
      throw new Error(name, { cause: error });
    };
    const origin = {
      facility: "daemon",
      hostname: "h",
      appName: "a",
      pid: 1,
      maxSize: 8192,
      sdId: "x@1",
    } as const;
    const formats = [
      json,
      (record: LogRecord) => lineOf(textLine, record),
      rfc3164(origin, false),
      rfc5424(origin),
      journalEntry(origin),
    ];
    const write = (record: LogRecord): void => {
      records.push(record);
      for (const format of formats) format(record);
    };
    const log = makeLogger(new Log([{ name: "all", sink: { write }, level: "info" }], broken), "a");
    for (const [name, value] of VALUES) {
      log.info(name, { value });
      log.info(value as string);
    }
    assert.equal(records.length, 2 * VALUES.length);
    const changing = { n: 1 };
    log.info("a copy", { changing });
    changing.n = 2;
    assert.deepEqual(records.at(-1)!["changing"], { n: 1 });
  });

  test("messageOf has words for all that can be thrown", () => {
    const thrown = [undefined, 7, Symbol("s"), bare, throwing, new Error("m"), "text"];
    assert.deepEqual(thrown.map(messageOf), [
      "threw undefined",
      "threw 7",
      "threw Symbol(s)",
      "threw an object without words",
      "threw an object without words",
      "m",
      "text",
    ]);
  });
});
