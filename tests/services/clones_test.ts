/** Values on their way to a worker: whatever a structured clone keeps comes back, most of it without `node:v8`. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { decode, encode } from "../../runtime/workers/clones.ts";

const back = (value: unknown): unknown => decode(encode(value));
/** Without a module of its own: as JSON. */
const isJson = (value: unknown): boolean => encode(value)[0] === "{".charCodeAt(0);

describe("values on their way to a worker", () => {
  for (
    const value of [
      { name: "echo", limits: { idle: 60_000, sessions: Infinity }, on: true, off: null },
      [Infinity, "Infinity", [], {}, "\0", "\ud800", "é"],
      { deep: [{ rate: { count: Infinity, per: 1000 } }] },
      "text",
      null,
    ]
  ) {
    test(`are JSON, with Infinity: ${JSON.stringify(value)}`, () => {
      assert.ok(isJson(value));
      assert.deepEqual(back(value), value);
    });
  }

  for (
    const [name, value] of Object.entries({
      "undefined, which is there": { a: undefined, b: 1 },
      NaN: [NaN],
      "a zero below zero": [-0],
      "minus infinity": [-Infinity],
      "a bigint": { a: 1n },
      "a date": { a: new Date(0) },
      "a map": new Map([["a", new Set([1])]]),
      "an expression": [/a/g],
      bytes: { a: new Uint8Array([1, 2]) },
      "an array with holes": { a: Object.assign(new Array(3), { 1: 1 }) },
      "an array with a hole, and a name": { a: Object.assign(new Array(2), { 1: 1, name: 1 }) },
      "a key of ours": { "\0infinite": 1 },
      undefined: undefined,
    })
  ) {
    test(`are clones: ${name}`, () => {
      assert.ok(!isJson(value));
      assert.deepEqual(back(value), value);
    });
  }

  test("keep a key that JSON would take for the prototype", () => {
    const value = JSON.parse('{"a":{"__proto__":{"b":1}}}');
    assert.deepEqual(Object.keys((back(value) as { a: object }).a), ["__proto__"]);
  });

  test("keep circles, and what is there twice", () => {
    const shared = { a: 1 };
    const value: Record<string, unknown> = { one: shared, two: shared };
    value["self"] = value;
    const copy = back(value) as Record<string, unknown>;
    assert.equal(copy["self"], copy);
    assert.equal(copy["one"], copy["two"]);
  });

  test("cannot be what no other thread can be given", () => {
    assert.throws(() => encode({ a: () => {} }), /cloned/);
  });
});
