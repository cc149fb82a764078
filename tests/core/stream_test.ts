import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import type { Codec } from "../../runtime/core/stream/codec.ts";
import { delimited, fixed, lengthPrefixed } from "../../runtime/core/stream/codec.ts";
import { Reader, type ReaderSource } from "../../runtime/core/stream/reader.ts";
import { cut, cutOf, RUNS } from "../support/split.ts";

/** It does not mind what it is asked. */
const IDLE: ReaderSource = { throttle() {}, exhausted() {} };

const encode = (text: string): Uint8Array => new TextEncoder().encode(text);
const decode = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);
const concat = (chunks: Uint8Array[]): number[] => chunks.flatMap((chunk) => [...chunk]);

/** A reader that has been given all chunks, or is given them while it is read. */
function readerOf(chunks: readonly Uint8Array[], late = false): Reader {
  const reader = new Reader(IDLE);
  if (late) {
    void (async () => {
      for (const chunk of chunks) {
        await Promise.resolve();
        reader.push(chunk.slice());
      }
      reader.close();
    })();
  } else {
    for (const chunk of chunks) reader.push(chunk.slice());
    reader.close();
  }
  return reader;
}

/** All frames, or what reading them threw. */
async function framesOf(reader: Reader, codec: Codec): Promise<(number[] | string)[]> {
  const found: (number[] | string)[] = [];
  try {
    for await (const frame of reader.frames(codec)) found.push([...frame]);
  } catch (error) {
    found.push(String((error as { code?: string }).code));
  }
  return found;
}

/** What {@link framesOf} must find, by looking at the whole. */
const MODELS: Readonly<Record<string, (whole: number[], max: number) => (number[] | string)[]>> = {
  lengthPrefixed(whole, max) {
    const found: (number[] | string)[] = [];
    for (let at = 0; at < whole.length;) {
      const length = whole[at]!;
      if (length > max) return [...found, "FRAME_TOO_LONG"];
      if (at + 1 + length > whole.length) return [...found, "UNEXPECTED_END"];
      found.push(whole.slice(at + 1, at + 1 + length));
      at += 1 + length;
    }
    return found;
  },
  fixed(whole, size) {
    const found: (number[] | string)[] = [];
    for (let at = 0; at < whole.length; at += size) {
      found.push(at + size <= whole.length ? whole.slice(at, at + size) : "UNEXPECTED_END");
    }
    return found;
  },
  delimited(whole, max) {
    const found: (number[] | string)[] = [];
    for (let at = 0; at < whole.length;) {
      let end = at;
      while (end < whole.length && !(whole[end] === 1 && whole[end + 1] === 2)) end++;
      // Without its mark a frame is too long when not even the mark would have room.
      if (end === whole.length) {
        return [...found, end - at >= max + 2 ? "FRAME_TOO_LONG" : "UNEXPECTED_END"];
      }
      if (end - at > max) return [...found, "FRAME_TOO_LONG"];
      found.push(whole.slice(at, end));
      at = end + 2;
    }
    return found;
  },
};

const CODECS: readonly (readonly [string, (size: number) => Codec])[] = [
  ["lengthPrefixed", (max) => lengthPrefixed(1, max)],
  ["fixed", (size) => fixed(size)],
  ["delimited", (max) => delimited(new Uint8Array([1, 2]), max)],
];

/** Bytes among which marks and short lengths are frequent. */
const frequent = fc.array(
  fc.oneof(fc.integer({ min: 0, max: 6 }), fc.integer({ min: 0, max: 255 })),
  {
    maxLength: 60,
  },
).map((bytes) => new Uint8Array(bytes));

describe("Reader", () => {
  test("chunks: any split of the input gives the same bytes", async () => {
    await fc.assert(
      fc.asyncProperty(cut, fc.boolean(), async ({ whole, chunks }, late) => {
        const found: Uint8Array[] = [];
        const iterator = readerOf(chunks, late).chunks();
        for (;;) {
          const { value, done } = await iterator.next();
          if (done) break;
          found.push(value as Uint8Array);
        }
        assert.deepEqual(concat(found), [...whole]);
      }),
      RUNS,
    );
  });

  for (const [name, make] of CODECS) {
    test(`frames of ${name}: any split of the input gives the same frames, and the same error`, async () => {
      await fc.assert(
        fc.asyncProperty(
          cutOf(frequent),
          fc.integer({ min: 1, max: 9 }),
          fc.boolean(),
          async ({ whole, chunks }, size, late) => {
            const found = await framesOf(readerOf(chunks, late), make(size));
            assert.deepEqual(found, MODELS[name]!([...whole], size));
          },
        ),
        { numRuns: 400 },
      );
    });
  }

  test("lines: any split gives the same lines, as a text splits at LF and CRLF", async () => {
    const letters = fc.constantFrom("a", "é", "\r", "\n", "\r\n", "漢", "\u{1f600}");
    const texts = fc.array(letters, { maxLength: 40 }).map((parts) => encode(parts.join("")));
    await fc.assert(
      fc.asyncProperty(cutOf(texts), fc.boolean(), async ({ whole, chunks }, late) => {
        const found: string[] = [];
        for await (const line of readerOf(chunks, late).lines()) found.push(line);
        const wanted = decode(whole).split("\n").map((line) => line.replace(/\r$/, ""));
        // A last line without an end counts, an empty one after the last end does not.
        if (whole.at(-1) === 10 || whole.length === 0) wanted.pop();
        assert.deepEqual(found, wanted);
      }),
      RUNS,
    );
  });

  test("until and exactly: any split gives the same", async () => {
    const parts = fc.array(fc.uint8Array({ maxLength: 30 }), { minLength: 1, maxLength: 6 });
    await fc.assert(
      fc.asyncProperty(parts, fc.array(fc.nat(), { maxLength: 8 }), async (parts, places) => {
        const clean = parts.map((part) => part.map((byte) => byte === 10 ? 11 : byte));
        const whole = new Uint8Array(concat(clean.flatMap((part) => [part, encode("\n"), part])));
        const at = [...new Set(places.map((place) => place % whole.length))].sort((a, b) => a - b);
        const chunks = [0, ...at].map((start, i) => whole.slice(start, at[i] ?? whole.length))
          .filter(({ length }) => length > 0);
        const reader = readerOf(chunks, true);
        for (const part of clean) {
          assert.deepEqual([...(await reader.until("\n"))!], [...part]);
          assert.deepEqual([...await reader.exactly(part.length)], [...part]);
        }
        assert.equal(await reader.until("\n"), undefined);
      }),
      RUNS,
    );
  });

  test("frames that were handed out are never written again", async () => {
    const kept: { bytes: Uint8Array; text: string }[] = [];
    const reader = new Reader(IDLE);
    const wanted: string[] = [];
    void (async () => {
      for (let i = 0; i < 2000; i++) {
        const text = `frame ${i} ${"x".repeat(i % 50)}`;
        wanted.push(text);
        const bytes = encode(`${text}\n`);
        reader.push(bytes.slice(0, i % bytes.length));
        if (i % 3 === 0) await Promise.resolve();
        reader.push(bytes.slice(i % bytes.length));
      }
      reader.close();
    })();
    for await (const bytes of reader.frames(delimited("\n"))) {
      kept.push({ bytes, text: decode(bytes) });
    }
    assert.deepEqual(kept.map(({ text }) => text), wanted);
    for (const { bytes, text } of kept) assert.equal(decode(bytes), text);
  });

  test("above 64 KiB the source is asked to wait, once; below 16 KiB to go on, once", async () => {
    const asked: boolean[] = [];
    const reader = new Reader({ ...IDLE, throttle: (full) => void asked.push(full) });
    const chunk = new Uint8Array(8 * 1024);
    for (let i = 0; i < 8; i++) reader.push(chunk);
    assert.deepEqual(asked, []);
    for (let i = 0; i < 4; i++) reader.push(chunk);
    assert.deepEqual(asked, [true]);
    const iterator = reader.chunks();
    for (let i = 0; i < 9; i++) await iterator.next();
    assert.deepEqual(asked, [true]);
    await iterator.next();
    assert.deepEqual(asked, [true, false]);
  });

  test("a frame larger than the high-water mark does not wait for ever", async () => {
    const asked: boolean[] = [];
    const reader = new Reader({ ...IDLE, throttle: (full) => void asked.push(full) });
    for (let i = 0; i < 3; i++) reader.push(new Uint8Array(30_000));
    assert.deepEqual(asked, [true]);
    const frame = reader.exactly(100_000);
    await Promise.resolve();
    assert.equal(asked.at(-1), false, "it has to go on, for this frame");
    reader.push(new Uint8Array(10_000));
    assert.equal((await frame).length, 100_000);
  });

  test("an error comes after what is unread", async () => {
    const reader = new Reader(IDLE);
    reader.push(encode("last"));
    reader.close(new Error("gone"));
    const iterator = reader.chunks();
    assert.equal(decode((await iterator.next()).value as Uint8Array), "last");
    await assert.rejects(iterator.next(), /gone/);
    await assert.rejects(reader.exactly(1), /gone/);
  });

  test("a read that waits is ended by close, in order or with its error", async () => {
    for (const error of [undefined, new Error("gone")]) {
      for (const read of ["chunks", "until"] as const) {
        const reader = new Reader(IDLE);
        const waiting: Promise<unknown> = read === "chunks"
          ? reader.chunks().next().then(({ value }) => value)
          : reader.until("x");
        reader.close(error);
        if (error === undefined) assert.equal(await waiting, undefined);
        else await assert.rejects(waiting, /gone/);
      }
    }
  });

  test("exactly at the end of the stream, and in the middle, is UNEXPECTED_END", async () => {
    await assert.rejects(readerOf([]).exactly(1), { code: "UNEXPECTED_END", side: "peer" });
    await assert.rejects(readerOf([encode("ab")]).exactly(3), { code: "UNEXPECTED_END" });
    assert.equal((await readerOf([]).exactly(0)).length, 0);
  });

  test("breaking out of lines leaves the rest to the next reader", async () => {
    const reader = readerOf([encode("one\ntwo\nrest")]);
    for await (const line of reader.lines()) if (line === "two") break;
    assert.equal(decode((await reader.chunks().next()).value as Uint8Array), "rest");
  });
});

describe("a reader whose codec has failed", () => {
  test("searches what is there anew for the next one, however it was split", async () => {
    for (
      const chunks of [["ab;cdefghijklmnop"], ["ab;cdefgh", "ijklmnop"], [..."ab;cdefghijklmnop"]]
    ) {
      const reader = readerOf(chunks.map(encode));
      await assert.rejects(reader.until("\n", 8), { code: "FRAME_TOO_LONG" });
      assert.equal(decode((await reader.until(";"))!), "ab");
      assert.equal(decode(await reader.exactly(6)), "cdefgh");
    }
  });
});
