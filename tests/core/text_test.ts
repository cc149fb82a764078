/** Text that is written. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { toBytes } from "../../runtime/core/session.ts";

test("text of any length goes out as UTF-8", () => {
  const encoder = new TextEncoder();
  const texts = fc.oneof(
    fc.string({ maxLength: 40 }),
    fc.string({ unit: "binary", maxLength: 40 }),
    fc.constantFrom("", "x".repeat(31), "x".repeat(32), "x".repeat(33), "ü".repeat(32), "\ud800"),
  );
  fc.assert(fc.property(texts, (text) => {
    assert.deepEqual(toBytes(text), encoder.encode(text));
  }));
});
