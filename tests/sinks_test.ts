import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, openSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { MemoryAdapter } from "../adapters/memory/mod.ts";
import type { SinkPlan } from "../runtime/core/plan.ts";
import type { LogRecord } from "../runtime/core/record.ts";
import { toJson } from "../runtime/sinks/invisible.ts";
import { lineSink } from "../runtime/sinks/lines.ts";
import { checkSink, type OpenSink, openSinks, probeSink } from "../runtime/sinks/mod.ts";
import { terminalLines, textLine } from "../runtime/sinks/text.ts";
import { describeRecord as words } from "../runtime/sinks/words.ts";
import { TextBuffer } from "../runtime/sinks/text-buffer.ts";
import { type Destination, Writer } from "../runtime/sinks/writer.ts";
import { command, runToEnd } from "./support/command.ts";
import { folder } from "./support/folder.ts";
import { until } from "./support/until.ts";
import { json, lineOf, record, TIME } from "./sinks/record.ts";

const CLOSE = record({
  event: "close",
  durationMs: 12,
  service: "echo",
  bytesIn: 5,
  session: 17,
  bytesOut: 5,
  reason: "peer",
});

describe("jsonLine", () => {
  test("jsonLine begins with time, level, event, service, session", () => {
    assert.equal(
      json(CLOSE),
      '{"time":"2026-11-20T12:00:00.000Z","level":"info","event":"close","service":"echo","session":17,"durationMs":12,"bytesIn":5,"bytesOut":5,"reason":"peer"}\n',
    );
  });
  test("jsonLine leaves out what is undefined", () => {
    assert.equal(
      json(record({ event: "ready", reason: undefined })),
      '{"time":"2026-11-20T12:00:00.000Z","level":"info","event":"ready"}\n',
    );
  });
  test("jsonLine holds any text on one line, and gives it back", () => {
    const text = 'a "quoted"\nline\\ with \u0000, \u2028, é and 😀';
    const line = json(record({ text, "a key": { nested: [text] } }));
    assert.equal(line.indexOf("\n"), line.length - 1);
    assert.equal(JSON.parse(line).text, text);
    assert.deepEqual(JSON.parse(line)["a key"], { nested: [text] });
  });
  test("jsonLine never throws: what JSON cannot hold becomes text", () => {
    const circle: Record<string, unknown> = {};
    circle["self"] = circle;
    const fields = { big: 10n, nan: NaN, circle, error: new Error("no"), call() {}, nothing: null };
    const { big, nan, error, call, nothing, ...rest } = JSON.parse(json(record(fields)));
    assert.deepEqual([big, nan, error, call, nothing], ["10", "NaN", "no", undefined, null]);
    assert.equal(typeof rest.circle, "string");
  });
});

describe("words", () => {
  const table: [Partial<LogRecord>, string][] = [
    [
      { event: "start", runtime: "node 26.10.0", version: "0.1.0", pid: 7 },
      "portico 0.1.0 on node 26.10.0, process 7",
    ],
    [{ event: "listening", endpoint: "tcp://[::]:7" }, "listening on tcp://[::]:7"],
    [{ event: "ready" }, "ready"],
    [
      { event: "open", session: 1, remote: "tcp://1.2.3.4:5", local: "tcp://1.2.3.4:7" },
      "#1 open from tcp://1.2.3.4:5 to tcp://1.2.3.4:7",
    ],
    [CLOSE, "#17 closed by the peer after 12 ms, 5 B in, 5 B out"],
    [
      { ...CLOSE, reason: "idle" },
      "#17 closed, idle, after 12 ms, 5 B in, 5 B out",
    ],
    [
      {
        event: "refuse",
        session: 2,
        remote: "udp://1.2.3.4:5",
        local: "udp://*:7",
        rule: "deny ::1",
      },
      "#2 refused udp://1.2.3.4:5 at udp://*:7: rule deny ::1",
    ],
    [
      { event: "refuse", session: 2, remote: "unix:", local: "unix:/a", limit: "sessions" },
      "#2 refused unix: at unix:/a: limit sessions",
    ],
    [
      {
        event: "error",
        session: 3,
        code: "HOOK_FAILED",
        message: "bad\nluck",
        side: "plugin",
        stack: "Error: bad\n    at data (file:///p.ts:3:5)\n    at more",
      },
      "#3 HOOK_FAILED: bad\\nluck (plugin) at data (file:///p.ts:3:5)",
    ],
    [{ event: "log", text: "hi \x1b[2J", user: "a", n: { x: 1 } }, 'hi \\x1b[2J user=a n={"x":1}'],
    [{ event: "worker", action: "started" }, "worker action=started"],
  ];
  for (const [fields, text] of table) {
    test(`words says: ${JSON.stringify(text)}`, () => {
      assert.equal(words(record(fields)), text);
    });
  }
});

describe("text", () => {
  test("textLine has the whole time, the level and the service in columns", () => {
    assert.equal(
      lineOf(textLine, record({ event: "ready", level: "warn" })),
      "2026-11-20T12:00:00.000Z warn  portico ready\n",
    );
  });
  test("terminalLines widens the service column with the longest name, without colour", () => {
    const line = terminalLines(false);
    const lines = ["a", "a-long-name", "a"].map((service) =>
      lineOf(line, record({ event: "ready", service })).replace(/^\d\d:\d\d:\d\d\.\d{3}/, "TIME")
    );
    assert.deepEqual(lines, [
      "TIME  info   a        ready\n",
      "TIME  info   a-long-name  ready\n",
      "TIME  info   a            ready\n",
    ]);
  });
  test("terminalLines colours on demand, and ends every colour", () => {
    const line = lineOf(terminalLines(true), record({ event: "ready", level: "error" }));
    assert.ok(line.includes("\u001b[31merror\u001b[0m"));
    assert.equal(line.split("\u001b[").length % 2, 1);
  });
});

/** A file, whose writes have to succeed. */
function target(file: string): Destination {
  return { descriptor: openSync(file, "a"), troubled: (reason) => assert.fail(reason) };
}

describe("TextBuffer", () => {
  const decoder = new TextDecoder();
  test("TextBuffer puts any text, as it is or as JSON", () => {
    const texts = ["", "plain", 'a "b" \\ c', "line\n", "\u0000\u007f", "é", "😀", "\ud800"];
    const long = texts.join("").repeat(100);
    const out = new TextBuffer();
    let expected = "";
    for (const text of [...texts, long, long, "end"]) {
      out.text(text);
      out.quoted(text);
      expected += text.toWellFormed() + toJson(text);
    }
    assert.equal(decoder.decode(out.bytes), expected);
    out.clear();
    assert.equal(out.bytes.length, 0);
    out.text("again");
    assert.equal(decoder.decode(out.bytes), "again");
  });
  test("TextBuffer puts numbers as JavaScript writes them", () => {
    const whole = Array.from({ length: 10 }, (_, index) => [10 ** index - 1, 10 ** index]).flat();
    const numbers = [...whole, 2 ** 31 - 1, 2 ** 31, 2 ** 53, -0, -1, -17, 0.5, 1e21, 1e-7, NaN];
    const out = new TextBuffer();
    for (const number of numbers) {
      out.number(number);
      out.text(" ");
    }
    assert.equal(decoder.decode(out.bytes), numbers.map((number) => `${number} `).join(""));
  });
  test("TextBuffer takes back what came after", () => {
    const out = new TextBuffer();
    out.text("kept");
    const before = out.length;
    out.text("x".repeat(10_000));
    out.length = before;
    out.text("!");
    assert.equal(decoder.decode(out.bytes), "kept!");
  });
});

describe("Writer", () => {
  test("Writer keeps the order over many turns, and flush waits for all of it", async (t) => {
    const file = join(folder(t, {}), "out");
    const writer = new Writer(target(file));
    let expected = "";
    for (let turn = 0; turn < 50; turn++) {
      for (let line = 0; line < 20; line++) {
        writer.push(`${turn} ${line} é\n`);
        expected += `${turn} ${line} é\n`;
      }
      await new Promise((resolve) => setImmediate(resolve));
    }
    await writer.flush();
    assert.equal(readFileSync(file, "utf8"), expected);
    await writer.close();
    assert.equal(writer.push("late"), false);
  });
  test("Writer lets lines wait for others where they may, also those that came during a write", async (t) => {
    const file = join(folder(t, {}), "out");
    let writes = 0;
    const writer = new Writer({
      ...target(file),
      patience: 60_000,
      admit(bytes) {
        if (++writes === 1) writer.push("came during the write\n", false);
        return { bytes, taken: bytes.length };
      },
    });
    writer.push("urgent\n");
    await until("the first line", () => readFileSync(file, "utf8") === "urgent\n");
    for (let turn = 0; turn < 100; turn++) await new Promise((resolve) => setImmediate(resolve));
    assert.equal(writes, 1);
    writer.push("urgent, too\n");
    await until("the last line", () => readFileSync(file, "utf8").endsWith("too\n"));
    assert.equal(readFileSync(file, "utf8"), "urgent\ncame during the write\nurgent, too\n");
    assert.equal(writes, 2);
    await writer.close();
  });
  test("Writer holds no more than its limit of a reader that has stopped", async (t) => {
    const file = join(folder(t, {}), "out");
    const writer = new Writer(target(file));
    const block = "x".repeat(1024 * 1024);
    let taken = 0;
    while (writer.push(block) && taken < 100) taken++;
    assert.ok(taken >= 16 && taken < 20, `took ${taken} blocks`);
    await writer.flush();
    assert.equal(readFileSync(file).length, taken * block.length);
    assert.equal(writer.push("again"), true);
    await writer.close();
  });
  test("lineSink says how many records were lost, once there is room again", () => {
    const lines: string[] = [];
    let room = true;
    let relieved = (): void => {};
    const out = new TextBuffer();
    const sink = lineSink({
      room: () => room ? out : undefined,
      wrote() {
        lines.push(new TextDecoder().decode(out.bytes));
        out.clear();
      },
      flush: () => Promise.resolve(),
      onRelief: (callback) => void (relieved = callback),
      reason: "no room",
      abandoned: 0,
    }, (record, out) => out.text(`${record["n"] ?? record["message"]}`));
    sink.write(record({ n: 1 }));
    room = false;
    sink.write(record({ n: 2 }));
    sink.write(record({ n: 3 }));
    room = true;
    sink.write(record({ n: 4 }));
    sink.write(record({ n: 5 }));
    assert.deepEqual(lines, ["1", "4", "2 records were lost: no room", "5"]);
    room = false;
    sink.write(record({ n: 6 }));
    room = true;
    relieved();
    assert.equal(lines.at(-1), "1 record was lost: no room", "also when nothing follows");
    relieved();
    assert.equal(lines.length, 5);
    assert.equal(sink.dropped!(), 3);
  });
  test("lineSink leaves nothing of a record that its format cannot put", async (t) => {
    const file = join(folder(t, {}), "out");
    const writer = new Writer(target(file));
    const sink = lineSink(writer, (record, out) => {
      out.text(`${record["n"]}`);
      if (record["n"] === 2) throw new Error("odd");
      out.text("\n");
    });
    sink.write(record({ n: 1 }));
    assert.throws(() => sink.write(record({ n: 2 })), /odd/);
    sink.write(record({ n: 3 }));
    await writer.close();
    assert.equal(readFileSync(file, "utf8"), "1\n3\n");
  });
});

describe("openSinks", () => {
  const plan = (type: string, options = {}, level: SinkPlan["level"] = "info"): SinkPlan => ({
    name: type,
    type,
    level,
    options,
  });
  test("openSinks shares one instance between the same sinks, whatever their level", async (t) => {
    const home = folder(t, {});
    const opened = new Map<string, OpenSink>();
    const host = { adapter: new MemoryAdapter(), warn() {} };
    const file = { path: join(home, "a"), format: "json" };
    const first = await openSinks([plan("file", file), plan("none")], host, opened);
    const second = await openSinks(
      [
        plan("file", { format: "json", path: join(home, "a") }, "debug"),
        plan("file", { ...file, path: join(home, "b") }),
      ],
      host,
      opened,
    );
    assert.equal(first[0]!.sink, second[0]!.sink);
    assert.equal(second[0]!.level, "debug");
    assert.notEqual(first[0]!.sink, second[1]!.sink);
    assert.equal(opened.size, 2, "none is no sink at all");
    for (const { sink } of opened.values()) await sink.close?.();
  });
  test("checkSink completes options and makes the paths among them absolute", () => {
    assert.deepEqual(checkSink(plan("file", { path: "a" }), (path) => `/srv/${path}`), {
      options: { path: "/srv/a", format: "json" },
    });
  });
  test("probeSink says why a log file could not be opened, and opens none", (t) => {
    const home = folder(t, {});
    const found = probeSink(plan("file", { path: join(home, "no/a.log") }));
    assert.ok(found !== true && /ENOENT/.test(found.reason));
    assert.equal(probeSink(plan("file", { path: join(home, "a.log") })), true);
    assert.equal(existsSync(join(home, "a.log")), false);
  });
});

describe("standard output", () => {
  const sinks = new URL("../runtime/sinks/", import.meta.url).href;
  /** Writes records when its input says so, then lives on. */
  const script = `
import process from "node:process";
import { openJson } from "${sinks}json.ts";
import { openConsole } from "${sinks}console.ts";
const json = openJson(), people = openConsole();
const time = ${TIME};
for await (const _ of process.stdin) {
  for (let n = 0; n < 3; n++) {
    json.write({ time, level: "info", event: "log", n });
    people.write({ time, level: "info", event: "log", text: "n " + n });
    await json.flush();
  }
  await people.flush();
}
process.stderr.write("alive");
`;
  test("json and console share standard output in order, and colour no pipe", async (t) => {
    const [program, words] = command(join(folder(t, { "s.ts": script }), "s.ts"));
    const child = spawn(program, words, { stdio: ["pipe", "pipe", "ignore"] });
    let out = "";
    child.stdout.on("data", (chunk) => out += chunk);
    child.stdin.end("go");
    const [code] = await once(child, "close");
    assert.equal(code, 0);
    const lines = out.trimEnd().split("\n").map((line) => line.replace(/^.*(?="n"|n \d)/, ""));
    assert.deepEqual(lines, ['"n":0}', "n 0", '"n":1}', "n 1", '"n":2}', "n 2"]);
    assert.equal(out.includes("\u001b"), false);
  });
  test("a reader of standard output that goes away ends no server", async (t) => {
    const [program, words] = command(join(folder(t, { "s.ts": script }), "s.ts"));
    const child = spawn(program, words, { stdio: ["pipe", "pipe", "pipe"] });
    let errors = "";
    child.stderr.on("data", (chunk) => errors += chunk);
    child.stdout.destroy();
    await once(child.stdout, "close");
    child.stdin.end("go");
    const [code] = await once(child, "close");
    assert.deepEqual([code, errors], [0, "alive"]);
  });
  test("what the last turn wrote gets out when the process exits at once", async (t) => {
    const home = folder(t, {});
    writeFileSync(
      join(home, "s.ts"),
      `import process from "node:process";
import { openJson } from "${sinks}json.ts";
openJson().write({ time: ${TIME}, level: "info", event: "stop" });
process.exit(3);
`,
    );
    const { code, out } = await runToEnd(command(join(home, "s.ts")));
    assert.equal(code, 3);
    assert.equal(out, json(record({ event: "stop" })));
  });
});
