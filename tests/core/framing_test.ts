/** Codecs that make values, in both forms: `read` and `frames`, and the Framer of push form. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import {
  type Codec,
  delimited,
  fixed,
  lengthPrefixed,
  lines,
  type TwoWayCodec,
} from "../../runtime/core/stream/codec.ts";
import { Framer } from "../../runtime/core/stream/framer.ts";
import { Reader } from "../../runtime/core/stream/reader.ts";
import { cutOf, RUNS } from "../support/split.ts";

const encode = (text: string): Uint8Array => new TextEncoder().encode(text);
const decode = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);

const newReader = (): Reader => new Reader({ throttle() {}, exhausted() {} });

/** Numbers in decimal, each after a colon: a codec with values, one of which is undefined. */
const numbers: Codec<number | undefined> = {
  next(bytes, from) {
    const end = bytes.indexOf(0x3a, from);
    if (end < 0) return bytes.length + 1;
    return { value: end === 0 ? undefined : Number(decode(bytes.subarray(0, end))), next: end + 1 };
  },
};

describe("Framer", () => {
  const texts = fc.array(fc.string({ maxLength: 40 })).map((lines) =>
    encode(lines.map((line) => `${line.replaceAll(/[\r\n]/g, "_")}\r\n`).join(""))
  );
  test("frames come whole, however the stream is cut, from chunks that are overwritten afterwards", () => {
    fc.assert(
      fc.property(cutOf(texts), ({ whole, chunks }) => {
        const framer = new Framer(lines());
        const found: string[] = [];
        const lent = new Uint8Array(100_000);
        for (const chunk of chunks) {
          lent.set(chunk);
          for (const line of framer.push(lent.subarray(0, chunk.length))) found.push(line);
          lent.fill(0x58, 0, chunk.length);
        }
        assert.deepEqual(found.map((line) => `${line}\r\n`).join(""), decode(whole));
        assert.equal(framer.end(), undefined);
      }),
      RUNS,
    );
  });

  test("values may be anything, undefined as well", () => {
    const framer = new Framer(numbers);
    assert.deepEqual([...framer.push(encode("1:2::4"))], [1, 2, undefined]);
    assert.deepEqual([...framer.push(encode("2:"))], [42]);
  });

  test("a loop that is left, or fails, finds the rest at the next push", () => {
    for (const leave of ["break", "throw"]) {
      const framer = new Framer(lines());
      const lent = encode("a\nb\nc");
      const found: string[] = [];
      try {
        for (const line of framer.push(lent)) {
          found.push(line);
          if (leave === "break") break;
          throw new Error("on purpose");
        }
      } catch {
        // It was.
      }
      lent.fill(0x58);
      found.push(...framer.push(encode("d\n")));
      assert.deepEqual(found, ["a", "b", "cd"]);
    }
  });

  test("frames that nobody took are not lost without a word", () => {
    const framer = new Framer(lines());
    framer.push(encode("a\nb"));
    assert.throws(() => framer.push(encode("c\n")), /the frames of the last chunk were not taken/);
  });

  test("what is left at the end is a last line, or an error", () => {
    const framer = new Framer(lines());
    assert.deepEqual([...framer.push(encode("a\nb"))], ["a"]);
    assert.equal(framer.end(), "b");
    const strict = new Framer(delimited(";"));
    assert.deepEqual([...strict.push(encode("a;b"))].map(decode), ["a"]);
    assert.throws(() => strict.end(), { code: "UNEXPECTED_END" });
  });

  test("what the codec throws comes out of the loop; the bytes stay for another one", () => {
    const framer = new Framer(lengthPrefixed(1, 3));
    const chunk = new Uint8Array([1, 7, 9, 0]);
    assert.throws(() => [...framer.push(chunk)], { code: "FRAME_TOO_LONG" });
    assert.throws(() => [...framer.push(chunk)], { code: "FRAME_TOO_LONG" });
  });
});

describe("encode", () => {
  const CODECS: readonly (readonly [string, TwoWayCodec])[] = [
    ["lengthPrefixed(1)", lengthPrefixed(1)],
    ["lengthPrefixed(2)", lengthPrefixed(2)],
    ["lengthPrefixed(4)", lengthPrefixed(4)],
    ["delimited(0)", delimited(new Uint8Array([0, 0]))],
    ["fixed(7)", fixed(7)],
  ];
  for (const [name, codec] of CODECS) {
    test(`${name} reads what it writes`, () => {
      const frames = [0, 1, 6, 7, 8, 200].map((length) => new Uint8Array(length).fill(5));
      for (const frame of name === "fixed(7)" ? [frames[3]!] : frames) {
        const bytes = codec.encode(frame);
        const found = codec.next(bytes, 0);
        assert.ok(typeof found !== "number");
        assert.deepEqual(bytes.slice(found.start, found.end), frame);
        assert.equal(found.next, bytes.length);
      }
    });
  }

  test("what no frame can hold is refused with the reason", () => {
    const wrong: readonly (readonly [TwoWayCodec, number, RegExp])[] = [
      [lengthPrefixed(1), 256, /at most 255 bytes: received 256/],
      [lengthPrefixed(2, 300), 301, /at most 300 bytes: received 301/],
      [fixed(4), 5, /a frame has 4 bytes: received 5/],
      [delimited(new Uint8Array([0])), 1, /its own delimiter/],
    ];
    for (const [codec, length, why] of wrong) {
      assert.throws(() => codec.encode(new Uint8Array(length)), why);
    }
    assert.equal(lines().encode("QUIT"), "QUIT\r\n");
    for (const line of ["a\nb", "a\rb"]) {
      assert.throws(() => lines().encode(line), /no CR and no LF/);
    }
  });
});

describe("read", () => {
  test("one codec after the other, from the same bytes", async () => {
    const reader = newReader();
    reader.push(encode("12:GET /\r\nxyz"));
    reader.close();
    assert.equal(await reader.read(numbers), 12);
    assert.equal(await reader.read(lines()), "GET /");
    assert.equal(decode((await reader.read(fixed(2)))!), "xy");
    await assert.rejects(reader.read(fixed(2)), { code: "UNEXPECTED_END" });
    assert.equal(await reader.read(lines()), undefined);
  });

  test("a next of one's own in the place of ours is asked, however it came there", async () => {
    const ours = delimited(";");
    const next: Codec["next"] = (bytes, from) => {
      const found = ours.next(bytes, from);
      return typeof found === "number" ? found : { ...found, end: found.end - 1 };
    };
    const assigned = delimited(";");
    assigned.next = next;
    for (
      const codec of [{ ...ours, next }, Object.assign(Object.create(ours), { next }), assigned]
    ) {
      const reader = newReader();
      reader.push(encode("ab"));
      const frame = reader.read(codec as Codec);
      reader.push(encode("c;abc;"));
      assert.equal(decode((await frame)!), "ab");
      assert.equal(decode((await reader.read(codec as Codec))!), "ab");
    }
    const reader = newReader();
    reader.push(encode("ab;c"));
    assert.equal(decode((await reader.read({ ...ours }))!), "ab");
    reader.close();
    await assert.rejects(reader.read({ ...ours }), { code: "UNEXPECTED_END" });
  });

  test("what an earlier read has searched in vain is searched anew behind what readExactly takes", async () => {
    const reader = newReader();
    for (const chunk of ["ab", "c;"]) reader.push(encode(chunk));
    const given = new AbortController();
    const vain = reader.read(delimited("!"), { signal: given.signal });
    given.abort(new Error("given up"));
    await assert.rejects(vain, /given up/);
    assert.equal(decode(await reader.exactly(3)), "abc");
    reader.push(encode("d!"));
    assert.equal(decode((await reader.read(delimited("!")))!), ";d");
    await assert.rejects(reader.exactly(-1), RangeError);
    const waits = reader.exactly(2);
    await assert.rejects(reader.exactly(1), /another read .* is waiting/);
    reader.push(encode("xyz"));
    assert.equal(decode(await waits), "xy");
    assert.equal(decode(await reader.exactly(1)), "z");
  });

  test("a read that is given up takes nothing, and the next one finds all", async () => {
    const reader = newReader();
    const given = new AbortController();
    const first = reader.read(lines(), { signal: given.signal });
    reader.push(encode("hal"));
    given.abort(new Error("given up"));
    await assert.rejects(first, /given up/);
    const late = reader.read(lines(), { timeout: 5 });
    await assert.rejects(late, { code: "ETIMEDOUT", message: /no whole frame within 5 ms/ });
    await assert.rejects(reader.read(lines(), { signal: given.signal }), /given up/);
    reader.push(encode("f\n"));
    assert.equal(await reader.read(lines(), { timeout: "1s" }), "half");
    await assert.rejects(
      reader.read(lines(), { timeout: -1 }),
      /timeout of read.* milliseconds from 0/,
    );
    await assert.rejects(reader.read(lines(), { timeout: "soon" }), /received "soon"/);
  });

  test("only one read waits; the second one says so, and does not disturb the first", async () => {
    const reader = newReader();
    const first = reader.read(fixed(2));
    await assert.rejects(reader.read(fixed(1), { timeout: 1 }), /another read of this session/);
    await assert.rejects(reader.read(fixed(1)), /another read of this session/);
    reader.push(encode("ok"));
    assert.equal(decode((await first)!), "ok");
  });

  test("a codec that fails while a read waits ends that read, and not the source", async () => {
    const reader = newReader();
    const waiting = reader.read(lengthPrefixed(1, 3));
    reader.push(new Uint8Array([9, 1]));
    await assert.rejects(waiting, { code: "FRAME_TOO_LONG" });
    assert.deepEqual(await reader.read(fixed(2)), new Uint8Array([9, 1]));
  });
});
