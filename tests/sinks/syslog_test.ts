/** The formats of syslog, read back by a parser of their documents. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { LogRecord } from "../../runtime/core/record.ts";
import { cut, MARK, sizeOf } from "../../runtime/sinks/syslog/cut.ts";
import { FRAMINGS } from "../../runtime/sinks/syslog/framing.ts";
import { FACILITIES } from "../../runtime/sinks/syslog/priority.ts";
import { rfc3164 } from "../../runtime/sinks/syslog/rfc3164.ts";
import { rfc5424 } from "../../runtime/sinks/syslog/rfc5424.ts";
import { escape } from "../../runtime/sinks/invisible.ts";
import { describeRecord as words, toText } from "../../runtime/sinks/words.ts";
import { parse3164, parse5424, splitAt, splitCounted } from "./parse.ts";
import { Random, randomRecord, randomText } from "./random.ts";

const TIME = Date.UTC(2026, 10, 5, 12, 0, 0, 7);
const ORIGIN = {
  facility: "daemon",
  hostname: "host.example.org",
  appName: "portico",
  pid: 42,
  maxSize: 8192,
  sdId: "portico@32473",
} as const;

/** Records of each format in the fuzz. */
const MANY = 100_000;

function record(fields: Partial<LogRecord>): LogRecord {
  return { time: TIME, level: "info", event: "log", ...fields };
}

const decode = (bytes: Uint8Array): string =>
  new TextDecoder("utf-8", { ignoreBOM: true }).decode(bytes);

/** What a reader of UTF-8 sees of a text, halves of characters and all. */
const wellFormed = (text: string): string => decode(new TextEncoder().encode(text));

describe("rfc5424", () => {
  const encode = rfc5424(ORIGIN);
  test("rfc5424 writes the header, the fields and the words", () => {
    const close = record({
      event: "close",
      service: "echo",
      session: 17,
      durationMs: 12,
      bytesIn: 5,
      bytesOut: 6,
      reason: "peer",
    });
    assert.equal(
      decode(encode(close)),
      '<30>1 2026-11-05T12:00:00.007Z host.example.org portico 42 close [portico@32473 service="echo" session="17" durationMs="12" bytesIn="5" bytesOut="6" reason="peer"] #17 closed by the peer after 12 ms, 5 B in, 6 B out',
    );
    assert.equal(
      decode(encode(record({ event: "ready" }))),
      "<30>1 2026-11-05T12:00:00.007Z host.example.org portico 42 ready - ready",
    );
  });
  test("rfc5424 has the severity of the level and the number of the facility", () => {
    for (const [level, severity] of Object.entries({ debug: 7, info: 6, warn: 4, error: 3 })) {
      for (const [facility, number] of Object.entries(FACILITIES)) {
        const origin = { ...ORIGIN, facility: facility as keyof typeof FACILITIES };
        const bytes = rfc5424(origin)(record({ level: level as LogRecord["level"], text: "x" }));
        assert.equal(parse5424(bytes).pri, number * 8 + severity, `${facility}.${level}`);
      }
    }
  });
  test("rfc5424 puts a BOM before a text that is not ASCII, and before no other (§6.4)", () => {
    assert.ok(decode(encode(record({ text: "é" }))).endsWith(" \uFEFFé"));
    assert.equal(decode(encode(record({ text: "e" }))).includes("\uFEFF"), false);
  });
  test("rfc5424 limits every field of the header to its characters and length (§6)", () => {
    const bytes = rfc5424({
      ...ORIGIN,
      hostname: `hö st\n${"h".repeat(300)}`,
      appName: `a b${"a".repeat(60)}`,
      sdId: "x",
    })(record({ event: `odd event\n${"e".repeat(40)}` as "log", time: Infinity }));
    const { host, app, id, time } = parse5424(bytes);
    assert.deepEqual([host.length, app.length, id.length, time], [255, 48, 32, "-"]);
    assert.match(host, /^h_+st_h+$/);
  });
  test("rfc5424 that has to be cut loses whole parameters, says how many, and still parses", () => {
    const long = "é".repeat(5000);
    const { params, text } = parse5424(encode(record({ text: "short", a: 1, long, b: 2 })));
    assert.deepEqual(params.map(([name]) => name), ["text", "a", "b", "omitted"]);
    assert.equal(params.at(-1)![1], "1");
    assert.ok(text.startsWith("short a=1 long=éé") && text.endsWith(MARK));
  });
  test("rfc5424 is never larger than maxSize, and parses at every size", () => {
    const random = new Random(7);
    for (let round = 0; round < 4000; round++) {
      const maxSize = 480 + random.below(600);
      const bytes = rfc5424({ ...ORIGIN, maxSize })(record({
        ...randomRecord(random),
        event: "log",
        text: randomText(random, 100),
        more: randomText(random, 100),
      }));
      assert.ok(bytes.length <= maxSize, `${bytes.length} of ${maxSize}`);
      parse5424(bytes);
    }
  });
  test("rfc5424 keeps a text of 8 KiB whole where there is room for it", () => {
    const text = "0123456789abcdef".repeat(512);
    const bytes = rfc5424({ ...ORIGIN, maxSize: 32768 })(record({ text }));
    const parsed = parse5424(bytes);
    assert.equal(parsed.text, text);
    assert.deepEqual(parsed.params, [["text", text]]);
  });
  test(`rfc5424: ${MANY} random records come back from a stream one by one, with text and fields`, () => {
    const random = new Random(1);
    const origin = { ...ORIGIN, maxSize: 1 << 20 };
    const encode = rfc5424(origin);
    for (let done = 0; done < MANY;) {
      const records = Array.from({ length: 500 }, () => randomRecord(random));
      const frames = records.map((each) => encode(each));
      const name = random.pick(["octet-counting", "lf", "nul"] as const);
      const stream = concat(frames.map((frame) => FRAMINGS[name](frame)));
      const split = name === "octet-counting"
        ? splitCounted(stream)
        : splitAt(stream, name === "lf" ? 10 : 0);
      assert.equal(split.length, records.length);
      for (let i = 0; i < records.length; i++) {
        const parsed = parse5424(split[i]!);
        const each = records[i]!;
        if (parsed.text !== wellFormed(words(each))) {
          assert.equal(parsed.text, wellFormed(words(each)));
        }
        const values = Object.entries(each)
          .filter(([key, value]) =>
            !["time", "level", "event"].includes(key) && value !== undefined
          )
          .map(([, value]) => wellFormed(escape(toText(value))));
        if (parsed.params.length !== values.length) {
          assert.equal(parsed.params.length, values.length);
        }
        parsed.params.forEach(([, value], at) => {
          if (value !== values[at]) assert.equal(value, values[at]);
        });
        if (parsed.id !== each.event) assert.equal(parsed.id, each.event);
      }
      done += records.length;
    }
  });
});

describe("rfc3164", () => {
  test("rfc3164 writes local time with a padded day, the host without its domain, and the tag", () => {
    const [line, local] = [false, true].map((local) =>
      decode(
        rfc3164({ ...ORIGIN, appName: "my app:x" }, local)(record({ text: "hi", service: "echo" })),
      )
    );
    const date = new Date(TIME);
    const clock = date.toTimeString().slice(0, 8);
    const stamp = `Nov ${String(date.getDate()).padStart(2)} ${clock}`;
    assert.equal(line, `<30>${stamp} host my_app_x[42]: echo: hi`);
    assert.equal(local, `<30>${stamp} my_app_x[42]: echo: hi`);
  });
  test("rfc3164 keeps an address for a host, and is cut at maxSize", () => {
    const bytes = rfc3164({ ...ORIGIN, hostname: "10.1.2.3", maxSize: 500 }, false)(
      record({ text: "漢".repeat(400) }),
    );
    assert.ok(bytes.length <= 500 && bytes.length > 490);
    const { host, text } = parse3164(bytes);
    assert.equal(host, "10.1.2.3");
    assert.match(text, /^漢+…$/);
  });
  test(`rfc3164: ${MANY} random records come back from a stream one by one, with their text`, () => {
    const random = new Random(2);
    const encode = rfc3164({ ...ORIGIN, maxSize: 1 << 20 }, false);
    for (let done = 0; done < MANY;) {
      const records = Array.from({ length: 500 }, () => randomRecord(random));
      const stream = concat(records.map((each) => FRAMINGS.lf(encode(each))));
      const split = splitAt(stream, 10);
      assert.equal(split.length, records.length);
      for (let i = 0; i < records.length; i++) {
        const each = records[i]!;
        const service = each.service === undefined ? "" : `${escape(each.service)}: `;
        const text = wellFormed(service + words(each));
        const parsed = parse3164(split[i]!);
        if (parsed.text !== text) assert.equal(parsed.text, text);
      }
      done += records.length;
    }
  });
});

describe("cut", () => {
  test("cut keeps whole characters, at most as many bytes as it may, and marks what it cut", () => {
    const random = new Random(3);
    for (let round = 0; round < 20_000; round++) {
      const text = randomText(random, 8);
      const limit = random.below(40);
      const short = cut(text, limit);
      assert.ok(sizeOf(short) <= limit);
      if (sizeOf(text) <= limit) assert.equal(short, text);
      else if (limit >= sizeOf(MARK)) {
        assert.ok(short.endsWith(MARK));
        assert.ok(text.startsWith(short.slice(0, -1)));
        assert.ok(sizeOf(short) > limit - 4, "no room is wasted");
      }
    }
  });
});

function concat(chunks: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(chunks.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const chunk of chunks) {
    whole.set(chunk, at);
    at += chunk.length;
  }
  return whole;
}
