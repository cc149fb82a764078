/** What cannot be seen, or changes how others are read, stands in no line as itself. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { rfc3164 } from "../../runtime/sinks/syslog/rfc3164.ts";
import { rfc5424 } from "../../runtime/sinks/syslog/rfc5424.ts";
import { terminalLines, textLine } from "../../runtime/sinks/text.ts";
import { json, lineOf, record } from "./record.ts";

/** What a peer may send, as an escape for people. */
const SENT: Readonly<Record<string, string>> = {
  "\0": "\\x00",
  "\r": "\\x0d",
  "\x1b": "\\x1b",
  "\x7f": "\\x7f",
  "\x85": "\\x85",
  "\x9b": "\\x9b",
  "\u00ad": "\\xad",
  "\u061c": "\\u061c",
  "\u200b": "\\u200b",
  "\u200f": "\\u200f",
  "\u2028": "\\u2028",
  "\u2029": "\\u2029",
  "\u202e": "\\u202e",
  "\u2066": "\\u2066",
  "\ufeff": "\\ufeff",
  "\u{e0001}": "\\u{e0001}",
};

const ORIGIN = {
  facility: "daemon",
  hostname: "host",
  appName: "portico",
  pid: 1,
  maxSize: 8192,
  sdId: "portico@1",
} as const;
const bytes = (text: Uint8Array): string =>
  new TextDecoder("utf-8", { ignoreBOM: true }).decode(text);

describe("what cannot be seen", () => {
  for (const [character, escape] of Object.entries(SENT)) {
    const text = `é${character}z`;
    const long = `${character}${"x".repeat(300)}`;
    const said = record({ event: "log", service: text, text, [text]: { [text]: [text] }, long });

    test(`${escape} is an escape for people, on every sink with words`, () => {
      const lines = [textLine, terminalLines(false)].map((format) => lineOf(format, said));
      const syslog = [rfc3164(ORIGIN, true), rfc5424(ORIGIN)].map((format) => bytes(format(said)));
      for (const line of [...lines, ...syslog]) {
        // The mark of RFC 5424 stands before the message.
        assert.equal(line.replace("] \ufeff", "] ").includes(character), false, line);
        assert.ok(line.includes(`é${escape}z`), line);
      }
    });

    test(`${escape} in JSON is what a reader of JSON makes of it`, () => {
      const line = json(said);
      assert.equal(line.includes(character), false);
      const back = JSON.parse(line) as Record<string, unknown>;
      assert.deepEqual([back["service"], back["text"], back[text], back["long"]], [
        text,
        text,
        { [text]: [text] },
        long,
      ]);
    });
  }

  test("what can be seen stays as it is, in whatever script", () => {
    const text = "Grüße, 漢字, العربية, हिन्दी, 😀, a\u00a0b";
    assert.ok(json(record({ text })).includes(text));
    assert.ok(lineOf(textLine, record({ text })).includes(text));
  });
});
