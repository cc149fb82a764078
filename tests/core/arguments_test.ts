/** Every call of the plugin API with what it does not take: an error at the plugin's line, or what is defined. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { delimited, fixed, lengthPrefixed, lines } from "../../runtime/core/stream/codec.ts";
import { Framer } from "../../runtime/core/stream/framer.ts";
import { pipe } from "../../runtime/core/stream/pipe.ts";
import type { Session } from "../../runtime/core/plugin.ts";
import { startInMemory } from "../support/in-memory.ts";
import { until } from "../support/until.ts";
import { failureOf, WRONG } from "../support/wrong.ts";

type Call = (session: Session, value: never) => unknown;

/** The calls of a session that take something: what they take of the table, and how an error names it. */
const CALLS: Readonly<Record<string, { call: Call; takes: string[]; names: RegExp }>> = {
  "write(bytes)": {
    call: (session, value) => session.write(value),
    takes: ["text"],
    names: /bytes .* or text are due/,
  },
  "send(bytes)": {
    call: (session, value) => session.send(value),
    takes: ["text"],
    names: /bytes .* or text are due/,
  },
  "end(bytes)": {
    call: (session, value) => session.end(value),
    takes: ["text", "undefined"],
    names: /bytes .* or text are due/,
  },
  "lines(max)": {
    call: (session, value) => session.lines(value),
    takes: ["5", "2**53", "Infinity", "undefined"],
    names: /max of lines\(max\): a whole number of bytes/,
  },
  "readExactly(length)": {
    call: (session, value) => session.readExactly(value),
    takes: ["0"],
    names: /length of readExactly\(length\): a whole number of bytes/,
  },
  "readUntil(delimiter)": {
    call: (session, value) => session.readUntil(value),
    takes: [],
    names: /delimiter of readUntil\(delimiter, max\): text or bytes/,
  },
  "readUntil(delimiter, max)": {
    call: (session, value) => session.readUntil("", value),
    takes: [],
    names: /delimiter of readUntil\(delimiter, max\): at least 1 byte/,
  },
  "frames(codec)": {
    call: (session, value) => session.frames(value),
    takes: [],
    names: /codec of frames\(codec\): a codec/,
  },
  "read(codec)": {
    call: (session, value) => session.read(value),
    takes: [],
    names: /codec of read\(codec, options\): a codec/,
  },
  "read(codec, options)": {
    call: (session, value) => session.read(lines(), value),
    takes: ["an object", "a list", "undefined"],
    names: /options of read\(codec, options\): an object/,
  },
  "read(codec, { signal })": {
    call: (session, signal) => session.read(lines(), { signal }),
    takes: ["undefined"],
    names: /signal of read\(codec, options\): an AbortSignal/,
  },
  "read(codec, { timeout })": {
    call: (session, timeout) =>
      session.read(lines(), { timeout }).catch((error) => {
        // It was taken, and nobody said anything in time.
        if (error.code !== "ETIMEDOUT") throw error;
      }),
    takes: ["5", "1.5", "0", "Infinity", "undefined"],
    names: /timeout of read\(codec, options\): milliseconds from 0/,
  },
  "deadline(after)": {
    call: (session, value) => session.deadline(value),
    takes: ["5", "1.5", "0", "Infinity"],
    names: /after of deadline\(after\): milliseconds from 0/,
  },
  "new Framer(codec)": {
    call: (_session, value) => new Framer(value),
    takes: [],
    names: /codec of new Framer\(codec\): a codec/,
  },
  "framer.push(chunk)": {
    call: (_session, value) => [...new Framer(lines()).push(value)],
    takes: [],
    names: /chunk of push\(chunk\): bytes \(a Uint8Array\)/,
  },
  "pipe(a, b)": {
    call: (session, value) => pipe(session, value),
    takes: [],
    names: /Cannot pipe: stream sessions are due/,
  },
};

/** Of each, so that a read which is taken does not wait for the next. */
const READS: readonly string[] = ["readExactly(length)", "readUntil(delimiter)"];

describe("a session", () => {
  for (const [name, { call, takes, names }] of Object.entries(CALLS)) {
    test(`${name} with what it does not take throws at the plugin's line`, async (t) => {
      const server = await startInMemory(t, {
        async handle(session) {
          for (const [what, value] of Object.entries(WRONG)) {
            if (takes.includes(what) || (READS.includes(name) && what === "text")) continue;
            if (name === "readExactly(length)" && what === "5") continue;
            const error = await failureOf(() => call(session, value as never));
            assert.ok(
              error instanceof TypeError || error instanceof RangeError,
              `${what}: ${error}`,
            );
            assert.match(error.message, names, what);
            assert.match(error.stack!, /arguments_test/, what);
          }
          session.write("fine");
        },
      });
      const peer = server.connect();
      await until("the answer", () => peer.text() === "fine" || server.all("error").length > 0);
      assert.deepEqual(server.all("error"), []);
      assert.equal(server.running.status()[0]!.bytesOut, 4);
    });

    test(`${name} takes ${takes.join(", ") || "nothing of these"}`, async (t) => {
      for (const what of takes) {
        const server = await startInMemory(t, {
          async handle(session) {
            await call(session, WRONG[what] as never);
          },
        });
        server.connect().end();
        await server.record("close");
        assert.deepEqual(server.all("error"), [], what);
      }
    });
  }

  test("state, log, pause, resume and abort are defined for everything", async (t) => {
    const server = await startInMemory(t, {
      handle(session) {
        for (const value of Object.values(WRONG) as never[]) {
          session.state = value;
          for (const level of ["debug", "info", "warn", "error"] as const) {
            session.log[level](value, value);
          }
          (session.pause as (value: unknown) => void)(value);
          (session.resume as (value: unknown) => void)(value);
        }
        (session.abort as (value: unknown) => void)(NaN);
      },
    });
    server.connect();
    await server.record("close");
    const logged = server.all("log");
    assert.equal(logged.length, 4 * Object.keys(WRONG).length);
    assert.deepEqual(server.all("error"), []);
    assert.ok(logged.some(({ text, fields }) => text === "NaN" && fields === "NaN"));
  });

  test("an error as the fields of a log is its message", async (t) => {
    const server = await startInMemory(t, {
      handle: (session) => session.log.warn("it failed", new Error("bad luck") as never),
    });
    server.connect();
    assert.equal((await server.record("log"))["error"], "bad luck");
  });
});

describe("codecs", () => {
  const FACTORIES: Readonly<Record<string, [(value: never) => unknown, string[]]>> = {
    "max of lines": [(value) => lines(value), ["5", "2**53", "Infinity", "undefined"]],
    "width of lengthPrefixed": [(value) => lengthPrefixed(value), []],
    "max of lengthPrefixed": [
      (value) => lengthPrefixed(2, value),
      ["5", "2**53", "Infinity", "undefined"],
    ],
    "size of fixed": [(value) => fixed(value), ["5"]],
    "mark of delimited": [(value) => delimited(value), ["text"]],
    "max of delimited": [
      (value) => delimited("\n", value),
      ["5", "2**53", "Infinity", "undefined"],
    ],
  };

  for (const [name, [make, takes]] of Object.entries(FACTORIES)) {
    test(`${name}: what is not taken throws`, () => {
      for (const [what, value] of Object.entries(WRONG)) {
        if (takes.includes(what)) make(value as never);
        else {
          assert.throws(() => make(value as never), (error: Error) => {
            assert.ok(error instanceof TypeError || error instanceof RangeError, what);
            assert.match(error.message, new RegExp(`${name}.* due; received`), what);
            return true;
          }, what);
        }
      }
    });
  }

  const ANSWERS: readonly unknown[] = [
    ...["NaN", "Infinity", "undefined", "null", "text", "a symbol", "true", "an object"].map(
      (what) => WRONG[what],
    ),
    { start: 0, end: 9, next: 9 },
    { start: 0, end: 1, next: 0 },
    { start: -1, end: 1, next: 1 },
    { start: NaN, end: 1, next: 1 },
    { start: 1, end: 0, next: 1 },
    { start: 0, end: 0.5, next: 1 },
    { start: 0, end: "1", next: 1 },
  ];
  for (const [at, answer] of ANSWERS.entries()) {
    test(`a codec of a plugin that answers nonsense (${at}) is an error, and no wait`, async (t) => {
      const server = await startInMemory(t, {
        async handle(session) {
          for await (const _ of session.frames({ next: () => answer as never })) break;
        },
      });
      const peer = server.connect();
      peer.write("abc");
      const error = await server.record("error");
      assert.equal(error.side, "plugin");
      assert.match(String(error["message"]), /next of a codec: a frame/);
      peer.end();
      await server.record("close");
    });
  }

  test("FRAME_TOO_LONG says the limit, and which call raises it", async (t) => {
    const reads: [RegExp, (session: Session) => unknown][] = [
      [/at most 2 .* lines\(max\)/, (session) => session.lines(2).next()],
      [/at most 2 .* readUntil\(/, (session) => session.readUntil("\n", 2)],
      [/at most 2 .* delimited\(/, (session) => session.frames(delimited("\n", 2)).next()],
      [/at most 2 .* lengthPrefixed\(/, (session) => session.frames(lengthPrefixed(1, 2)).next()],
    ];
    for (const [text, read] of reads) {
      const server = await startInMemory(t, { handle: (session) => read(session) as never });
      const peer = server.connect();
      peer.write("abcdef\n");
      assert.match(String((await server.record("error"))["message"]), text);
    }
  });
});
