import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import type { Codec } from "../../runtime/core/stream/codec.ts";
import { delimited, fixed, FRAME_MAX, lengthPrefixed } from "../../runtime/core/stream/codec.ts";
import { Reader, type ReaderSource } from "../../runtime/core/stream/reader.ts";
import { RUNS } from "../support/split.ts";

/** It does not mind what it is asked. */
const IDLE: ReaderSource = { throttle() {}, exhausted() {} };

/** A frame with its length before it. */
function prefixed(width: 1 | 2 | 4, length: number): Uint8Array {
  const bytes = new Uint8Array(width + length).fill(7);
  for (let i = 0, rest = length; i < width; i++, rest = Math.floor(rest / 256)) {
    bytes[width - 1 - i] = rest % 256;
  }
  return bytes;
}

describe("lengthPrefixed", () => {
  for (const width of [1, 2, 4] as const) {
    test(`lengthPrefixed(${width}) reads a big-endian length, and asks for what is missing`, () => {
      const codec = lengthPrefixed(width);
      const bytes = prefixed(width, 200);
      for (let n = 0; n < width; n++) assert.equal(codec.next(bytes.subarray(0, n), 0), width);
      for (const n of [width, width + 1, width + 199]) {
        assert.equal(codec.next(bytes.subarray(0, n), 0), width + 200);
      }
      const end = width + 200;
      assert.deepEqual(codec.next(bytes, 0), { start: width, end, next: end });
    });
  }

  test("lengthPrefixed(4) refuses 4 GiB at the sight of its length", () => {
    assert.throws(() => lengthPrefixed(4).next(new Uint8Array([255, 255, 255, 255]), 0), {
      code: "FRAME_TOO_LONG",
      side: "peer",
      message: `a frame of ${2 ** 32 - 1} bytes or more: at most ${FRAME_MAX} are allowed; ` +
        "a larger max of lengthPrefixed(width, max) allows more",
    });
  });

  test("lengthPrefixed takes the longest, refuses one byte more, and takes empty frames", () => {
    const codec = lengthPrefixed(2, 300);
    assert.deepEqual(codec.next(prefixed(2, 300), 0), { start: 2, end: 302, next: 302 });
    assert.throws(() => codec.next(prefixed(2, 301), 0), { code: "FRAME_TOO_LONG" });
    assert.deepEqual(codec.next(prefixed(2, 0), 0), { start: 2, end: 2, next: 2 });
  });

  test("lengthPrefixed refuses other widths", () => {
    assert.throws(() => lengthPrefixed(3 as 4), /width .* 1, 2 or 4 is due; received 3/);
  });
});

describe("fixed", () => {
  test("fixed asks for its size, then gives it", () => {
    assert.equal(fixed(4).next(new Uint8Array(3), 0), 4);
    assert.deepEqual(fixed(4).next(new Uint8Array(9), 0), { start: 0, end: 4, next: 4 });
  });
  test("fixed refuses sizes that are none", () => {
    for (const size of [0, -1, 1.5, NaN]) assert.throws(() => fixed(size), RangeError);
  });
});

describe("delimited", () => {
  test("delimited finds its mark where an earlier look has stopped within it", () => {
    const codec = delimited("\r\n");
    const bytes = new TextEncoder().encode("ab\r\nc");
    assert.equal(codec.next(bytes.subarray(0, 3), 0), 4);
    assert.deepEqual(codec.next(bytes, 3), { start: 0, end: 2, next: 4 });
  });
  test("delimited is not misled by marks that begin and do not end", () => {
    const bytes = new TextEncoder().encode("aaab aab");
    assert.deepEqual(delimited("aab").next(bytes, 0), { start: 0, end: 1, next: 4 });
  });
  test("delimited takes the longest, also while its mark has not come whole", () => {
    const codec = delimited("--", 3);
    const bytes = new TextEncoder().encode("abc--");
    for (let n = 1; n < 5; n++) assert.equal(codec.next(bytes.subarray(0, n), 0), n + 1);
    assert.deepEqual(codec.next(bytes, 0), { start: 0, end: 3, next: 5 });
    assert.throws(() => codec.next(new TextEncoder().encode("abcd--"), 0), {
      code: "FRAME_TOO_LONG",
    });
    assert.throws(() => codec.next(new TextEncoder().encode("abcde"), 0), {
      code: "FRAME_TOO_LONG",
    });
  });
  test("delimited refuses an empty mark", () => {
    assert.throws(() => delimited(""), /at least 1 byte/);
  });
});

describe("codecs", () => {
  const LIMITS: readonly (readonly [string, Codec, number])[] = [
    ["lengthPrefixed", lengthPrefixed(4, 100), 104],
    ["fixed", fixed(100), 100],
    ["delimited", delimited("--", 100), 102],
  ];
  for (const [name, codec, most] of LIMITS) {
    test(`${name} never asks for more than its maximum, whatever comes`, async () => {
      await fc.assert(
        fc.property(fc.uint8Array({ maxLength: 300 }), fc.nat({ max: 300 }), (bytes, from) => {
          let found;
          try {
            found = codec.next(bytes, Math.min(from, bytes.length));
          } catch (error) {
            assert.equal((error as { code: string }).code, "FRAME_TOO_LONG");
            return;
          }
          if (typeof found === "number") {
            assert.ok(found > bytes.length || bytes.length === 0, "it asks for more than there is");
            assert.ok(found <= most, `${found} bytes are asked for`);
          } else assert.ok(found.end - found.start <= 100);
        }),
        RUNS,
      );
    });

    test(`${name} keeps no more than its maximum and a chunk, byte by byte`, async () => {
      const reader = new Reader(IDLE);
      const reading = (async () => {
        for await (const _ of reader.frames(codec));
      })().catch((error) => error);
      let pushed = 0;
      let over = false;
      void reading.then(() => over = true);
      // A long frame of 1s: a length that is too long, or a mark that never comes.
      for (; pushed < 1000 && !over; pushed++) {
        reader.push(new Uint8Array([45 + pushed % 2]));
        await new Promise<void>((resolve) => setImmediate(resolve));
      }
      reader.close();
      const error = await reading;
      if (name === "fixed") assert.equal(error, undefined);
      else {
        assert.equal(error.code, "FRAME_TOO_LONG");
        assert.ok(pushed <= most + 1, `${pushed} bytes were taken`);
      }
    });
  }
});
