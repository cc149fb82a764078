/** Random records through the formats of lines, and of /dev/log; the others are in the tests of their own. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { stripVTControlCharacters } from "node:util";
import type { LogRecord } from "../../runtime/core/record.ts";
import { timestamp } from "../../runtime/sinks/line.ts";
import { FRAMINGS } from "../../runtime/sinks/syslog/framing.ts";
import { rfc3164 } from "../../runtime/sinks/syslog/rfc3164.ts";
import { rfc5424 } from "../../runtime/sinks/syslog/rfc5424.ts";
import { terminalLines, textLine } from "../../runtime/sinks/text.ts";
import { escape } from "../../runtime/sinks/invisible.ts";
import { describeRecord as words } from "../../runtime/sinks/words.ts";
import { parse3164, parse5424, splitAt, splitCounted } from "./parse.ts";
import { json, lineOf } from "./record.ts";
import { Random, randomRecord } from "./random.ts";

const MANY = 100_000;
/** Records that are written to one stream. */
const BATCH = 500;
const TIME = Date.UTC(2026, 10, 20, 12);

/** Many records, in batches; what has no time gets one, where a format has nothing to say without. */
function* batches(seed: number): Generator<LogRecord[]> {
  const random = new Random(seed);
  for (let done = 0; done < MANY; done += BATCH) {
    yield Array.from({ length: BATCH }, () => {
      const record = randomRecord(random);
      return Number.isNaN(record.time) ? { ...record, time: TIME } : record;
    });
  }
}

/** As {@link assert.equal}, at a price that so many can pay. */
function same(found: unknown, expected: unknown): void {
  if (found !== expected) assert.equal(found, expected);
}

function join(chunks: readonly Uint8Array[]): Uint8Array {
  return new Uint8Array(Buffer.concat(chunks));
}

const ORIGIN = {
  facility: "daemon",
  hostname: "host.example.org",
  appName: "portico",
  pid: 42,
  maxSize: 1 << 20,
  sdId: "portico@32473",
} as const;

describe("fuzz", () => {
  test(`json: ${MANY} random records are a line each, and come back whole`, () => {
    for (const records of batches(21)) {
      const lines = records.map(json).join("").split("\n");
      same(lines.pop(), "");
      same(lines.length, records.length);
      records.forEach((record, at) => {
        const back = JSON.parse(lines[at]!);
        const { time, ...rest } = JSON.parse(JSON.stringify(record));
        same(back.time, timestamp(time));
        same(Object.keys(back).length, Object.keys(rest).length + 1);
        for (const key in rest) same(JSON.stringify(back[key]), JSON.stringify(rest[key]));
      });
    }
  });

  test(`text: ${MANY} random records are a line each, with their words and no control character`, () => {
    for (const records of batches(22)) {
      const lines = records.map((record) => lineOf(textLine, record)).join("").split("\n");
      same(lines.pop(), "");
      same(lines.length, records.length);
      records.forEach((record, at) => {
        const line = lines[at]!;
        // Half of a surrogate pair is no character: UTF-8 has U+FFFD in its place.
        same(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u.test(line), false);
        same(line.startsWith(`${timestamp(record.time)} ${record.level}`), true);
        same(line.endsWith(` ${words(record).toWellFormed()}`), true);
      });
    }
  });

  test(`console: ${MANY} random records are a line each, and colour nothing but themselves`, () => {
    const line = terminalLines(true);
    for (const records of batches(23)) {
      for (const record of records) {
        const text = lineOf(line, record);
        same(text.indexOf("\n"), text.length - 1);
        same(text.split("\x1b").length, 5);
        same(stripVTControlCharacters(text).endsWith(`  ${words(record).toWellFormed()}\n`), true);
      }
    }
  });

  for (const local of [true, false]) {
    const to = local ? "/dev/log" : "the network";
    test(`rfc3164 to ${to}: ${MANY} random records come back from every framing, one by one`, () => {
      const encode = rfc3164(ORIGIN, local);
      const random = new Random(24);
      for (const records of batches(25)) {
        const name = random.pick(["octet-counting", "lf", "nul"] as const);
        const stream = join(records.map((record) => FRAMINGS[name](encode(record))));
        const messages = name === "octet-counting"
          ? splitCounted(stream)
          : splitAt(stream, name === "lf" ? 10 : 0);
        same(messages.length, records.length);
        records.forEach((record, at) => {
          const { service } = record;
          const head = service === undefined ? "" : `${escape(service)}: `;
          const parsed = parse3164(messages[at]!);
          same(parsed.text, `${head}${words(record)}`.toWellFormed());
          same(parsed.host, local ? undefined : "host");
        });
      }
    });
  }

  test(`cut to a random size, ${MANY} random records are still one message each, in every framing`, () => {
    const random = new Random(26);
    for (const records of batches(27)) {
      const maxSize = 480 + random.below(400);
      const modern = random.below(2) === 0;
      const origin = { ...ORIGIN, maxSize };
      const encode = modern ? rfc5424(origin) : rfc3164(origin, false);
      const name = random.pick(["octet-counting", "lf", "nul"] as const);
      const frames = records.map((record) =>
        encode({ ...record, more: "é\n<13>forged 漢字😀\0".repeat(random.below(60)) })
      );
      for (const { length } of frames) if (length > maxSize) assert.fail(`${length} of ${maxSize}`);
      const stream = join(frames.map((frame) => FRAMINGS[name](frame)));
      const messages = name === "octet-counting"
        ? splitCounted(stream)
        : splitAt(stream, name === "lf" ? 10 : 0);
      same(messages.length, records.length);
      // They throw at half a character, and at anything else that no message may have.
      for (const message of messages) modern ? parse5424(message) : parse3164(message);
    }
  });
});
