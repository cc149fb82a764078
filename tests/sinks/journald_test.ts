/** The journald sink against a stand-in for journald's socket, read back field by field. */
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import { readdirSync, readlinkSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { createInterface } from "node:readline";
import { describe, test, type TestContext } from "node:test";
import type { Adapter } from "../../runtime/core/contract.ts";
import type { LogRecord, Sink } from "../../runtime/core/record.ts";
import { journalEntry } from "../../runtime/sinks/journald/native.ts";
import { checkSink, openSinks, probeSink } from "../../runtime/sinks/mod.ts";
import { MARK } from "../../runtime/sinks/syslog/cut.ts";
import { describeRecord as words, toText } from "../../runtime/sinks/words.ts";
import { adapter, lackingFeature, lackingTransport } from "../support/adapter.ts";
import { folder } from "../support/folder.ts";
import { lackingPrograms } from "../support/packages.ts";
import { until } from "../support/until.ts";
import { parseEntry } from "./parse.ts";
import { Random, randomRecord } from "./random.ts";

const ORIGIN = { facility: "daemon", appName: "portico", maxSize: 192 * 1024 } as const;
const TIME = Date.UTC(2026, 10, 20, 12);
const MANY = 100_000;

function record(fields: Partial<LogRecord>): LogRecord {
  return { time: TIME, level: "info", event: "log", ...fields };
}

describe("journalEntry", () => {
  const encode = journalEntry(ORIGIN);
  test("journalEntry writes the record's fields as the journal's", () => {
    const fields = parseEntry(encode(record({
      level: "warn",
      event: "close",
      service: "echo",
      session: 17,
      durationMs: 12,
      reason: "peer",
    })));
    assert.deepEqual(Object.fromEntries(fields), {
      MESSAGE: "#17 closed by the peer after 12 ms",
      PRIORITY: "4",
      SYSLOG_IDENTIFIER: "portico",
      SYSLOG_FACILITY: "3",
      PORTICO_TIME: "2026-11-20T12:00:00.000Z",
      PORTICO_EVENT: "close",
      PORTICO_SERVICE: "echo",
      PORTICO_SESSION: "17",
      PORTICO_DURATION_MS: "12",
      PORTICO_REASON: "peer",
    });
  });
  test("journalEntry gives a value with line ends as it is, by its length, and forges no field", () => {
    const text = "one\nMESSAGE=forged\n\0é=]";
    const fields = parseEntry(encode(record({ text, "bytes\nPRIORITY=0": "x\n" })));
    assert.equal(fields.get("PORTICO_TEXT"), text);
    assert.equal(fields.get("PORTICO_BYTES_PRIORITY_0"), "x\n");
    assert.equal(fields.get("PRIORITY"), "6");
    assert.equal(fields.get("MESSAGE"), words(record({ text, "bytes\nPRIORITY=0": "x\n" })));
  });
  test("journalEntry makes names of at most 64 upper-case letters, digits and _", () => {
    const fields = parseEntry(encode(record({ [`${"x".repeat(80)}é`]: 1, "_lead": 2, "9": 3 })));
    assert.ok(fields.has(`PORTICO_${"X".repeat(56)}`));
    assert.ok(fields.has("PORTICO__LEAD") && fields.has("PORTICO_9"));
  });
  test("journalEntry cuts the longest values of what is too large, with a mark, and names them", () => {
    const bytes = journalEntry({ ...ORIGIN, maxSize: 4096 })(
      record({ text: "é".repeat(9000), user: "ada", other: "o\n".repeat(9000) }),
    );
    assert.ok(bytes.length <= 4096 && bytes.length > 3500, `${bytes.length}`);
    const fields = parseEntry(bytes);
    assert.equal(fields.get("PORTICO_USER"), "ada");
    assert.ok(fields.get("PORTICO_TEXT")!.endsWith(MARK));
    assert.deepEqual(
      new Set(fields.get("PORTICO_CUT")!.split(" ")),
      new Set(["MESSAGE", "PORTICO_TEXT", "PORTICO_OTHER"]),
    );
  });
  test("journalEntry is never larger than maxSize, however many fields there are", () => {
    const many = Object.fromEntries(Array.from({ length: 500 }, (_, i) => [`field${i}`, `${i}`]));
    const bytes = journalEntry({ ...ORIGIN, maxSize: 1024 })(record(many));
    assert.ok(bytes.length <= 1024);
    const fields = parseEntry(bytes);
    assert.ok(fields.has("MESSAGE") && fields.has("PORTICO_CUT"));
  });
  test(`journalEntry: ${MANY} random records come back field by field`, () => {
    const random = new Random(5);
    const utf8 = new TextDecoder("utf-8", { ignoreBOM: true });
    const decode = (text: string): string => utf8.decode(new TextEncoder().encode(text));
    for (let done = 0; done < MANY; done++) {
      const each = randomRecord(random);
      const fields = parseEntry(encode(each));
      const message = decode(words(each));
      if (fields.get("MESSAGE") !== message) assert.equal(fields.get("MESSAGE"), message);
      const user = each["user"] === undefined ? undefined : decode(toText(each["user"]));
      const read = fields.get("PORTICO_USER");
      if (read !== user) assert.equal(read, user);
    }
  });
});

/** A stand-in for journald's socket. */
async function journal(t: TestContext, path: string): Promise<Map<string, string>[]> {
  const entries: Map<string, string>[] = [];
  const socket = await adapter.bind({ transport: "unixgram", path }, {
    datagram: (_, bytes) => void entries.push(parseEntry(new Uint8Array(bytes))),
    failure() {},
  }, {});
  t.after(() => socket.close());
  return entries;
}

async function open(t: TestContext, options: object, warnings: string[] = []): Promise<Sink> {
  const check = checkSink({ type: "journald", options: { ...options } });
  assert.ok("options" in check, JSON.stringify(check));
  const host = { adapter, warn: (text: string) => void warnings.push(text) };
  const plan = { name: "j", type: "journald", level: "debug", options: check.options } as const;
  const { sink } = (await openSinks([plan], host))[0]!;
  t.after(() => sink.close!());
  return sink;
}

const skip = lackingTransport("unixgram");

test("journald: 10000 records arrive in order, each field by field", { skip }, async (t) => {
  const path = join(folder(t, {}), "socket");
  const entries = await journal(t, path);
  const sink = await open(t, { path });
  const text = (n: number): string => n % 50 === 0 ? "long\n".repeat(1000) : `n\n${n}`;
  for (let n = 0; n < 10_000; n++) {
    sink.write(record({ text: text(n), n }));
    if (n % 100 === 99) await new Promise((resolve) => setImmediate(resolve));
  }
  await sink.flush!();
  await until("all entries", () => entries.length >= 10_000);
  entries.forEach((fields, n) => {
    assert.equal(fields.get("PORTICO_N"), String(n));
    assert.equal(fields.get("PORTICO_TEXT"), text(n));
  });
  assert.equal(sink.dropped!(), 0);
});

/** A journald that takes files, too: what it gets, it tells as a line of JSON, when it is told to go. */
const TAKER = `
import base64, fcntl, json, os, socket, sys
taker = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
taker.bind(sys.argv[1])
print(json.dumps("bound"), flush=True)
sys.stdin.readline()
while True:
    data, files, flags, _ = socket.recv_fds(taker, 1 << 20, 2)
    told = {"payload": len(data), "files": len(files), "seals": 0}
    if files:
        told["seals"] = fcntl.fcntl(files[0], fcntl.F_GET_SEALS)
        size = os.fstat(files[0]).st_size
        data = os.pread(files[0], size, 0)
        try:
            os.pwrite(files[0], b"x", 0)
        except OSError as error:
            told["refused"] = os.strerror(error.errno)
    for each in files:
        os.close(each)
    told["data"] = base64.b64encode(data).decode()
    print(json.dumps(told), flush=True)
`;

interface Taken {
  readonly payload: number;
  readonly files: number;
  readonly seals: number;
  readonly refused?: string;
  readonly data: string;
}

class Taker {
  readonly taken: Taken[] = [];
  readonly #child: ChildProcessWithoutNullStreams;
  #bound = false;

  constructor(t: TestContext, path: string) {
    this.#child = spawn("python3", ["-c", TAKER, path]);
    const ended = new Promise((resolve) => this.#child.once("close", resolve));
    t.after(async () => {
      this.#child.kill("SIGKILL");
      await ended;
    });
    this.#child.stderr.pipe(process.stderr);
    createInterface({ input: this.#child.stdout }).on("line", (line) => {
      const told = JSON.parse(line) as Taken | "bound";
      if (told === "bound") this.#bound = true;
      else this.taken.push(told);
    });
  }

  async bound(): Promise<void> {
    await until("a taker", () => this.#bound);
  }

  go(): void {
    this.#child.stdin.write("go\n");
  }

  /** The fields of entry `index`. */
  fields(index: number): Map<string, string> {
    return parseEntry(new Uint8Array(Buffer.from(this.taken[index]!.data, "base64")));
  }
}

/** What this process has open; what has just been closed has no name. */
function openFiles(): string[] {
  return readdirSync("/proc/self/fd").flatMap((fd) => {
    try {
      return [readlinkSync(`/proc/self/fd/${fd}`)];
    } catch {
      return [];
    }
  });
}

const noFiles = skip || lackingFeature("descriptors") || lackingPrograms("python3");

test("journald gets what is larger than a datagram whole, as a sealed file", {
  skip: noFiles,
}, async (t) => {
  const path = join(folder(t, {}), "socket");
  const taker = new Taker(t, path);
  await taker.bound();
  const sink = await open(t, { path, queueBytes: "64MiB" });
  // 212,960 bytes are what one datagram carries here; its queue holds ten or eleven.
  const text = (n: number): string =>
    n % 3 === 0 ? `n ${n}` : n % 3 === 1 ? "line\n".repeat(60_000) : "é".repeat(500_000);
  const count = 36;
  for (let n = 0; n < count; n++) sink.write(record({ n, user: "ada", text: text(n) }));
  await new Promise((resolve) => setImmediate(resolve));
  taker.go();
  await sink.flush!();
  await until(
    () => `${count} entries, of ${taker.taken.length}`,
    () => taker.taken.length === count,
  );
  taker.taken.forEach(({ payload, files, seals, refused }, n) => {
    const large = n % 3 !== 0;
    assert.deepEqual(
      [files, seals, refused],
      large ? [1, 0xf, "Operation not permitted"] : [0, 0, undefined],
    );
    assert.equal(payload > 0, !large, "a file comes with nothing else");
    const fields = taker.fields(n);
    assert.deepEqual(
      [fields.get("PORTICO_N"), fields.get("PORTICO_USER"), fields.get("PORTICO_CUT")],
      [String(n), "ada", undefined],
    );
    assert.ok(fields.get("PORTICO_TEXT") === text(n), `the text of entry ${n}`);
  });
  assert.equal(sink.dropped!(), 0);
  assert.deepEqual(
    openFiles().filter((name) => name.includes("memfd:")),
    [],
    "no file is left open",
  );
});

test("journald gets at most maxSize, also as a file", { skip: noFiles }, async (t) => {
  const path = join(folder(t, {}), "socket");
  const taker = new Taker(t, path);
  await taker.bound();
  taker.go();
  const sink = await open(t, { path, maxSize: "300KiB" });
  sink.write(record({ text: "x".repeat(1_000_000) }));
  await until("the entry", () => taker.taken.length === 1);
  assert.equal(taker.taken[0]!.files, 1);
  const size = Buffer.from(taker.taken[0]!.data, "base64").length;
  assert.ok(size <= 300 * 1024 && size > 290 * 1024, `${size}`);
  assert.ok(taker.fields(0).get("PORTICO_TEXT")!.endsWith(MARK));
});

test(
  "journald gets what fits a datagram where descriptors cannot be passed",
  { skip },
  async (t) => {
    const path = join(folder(t, {}), "socket");
    const entries = await journal(t, path);
    const features = { ...adapter.features, descriptors: { reason: "there is no FFI" } };
    const dial: Adapter["dial"] = async (to, table) =>
      Object.assign(await adapter.dial(to, table), { offerSealed: undefined });
    const check = checkSink({ type: "journald", options: { path } });
    assert.ok("options" in check);
    const plan = { name: "j", type: "journald", level: "debug", options: check.options } as const;
    const host = { adapter: { ...adapter, features, dial }, warn() {} };
    const { sink } = (await openSinks([plan], host))[0]!;
    t.after(() => sink.close!());
    sink.write(record({ n: 1, text: "x".repeat(1_000_000) }));
    await until("the entry", () => entries.length === 1);
    const [fields] = entries;
    assert.equal(fields!.get("PORTICO_N"), "1");
    assert.match(fields!.get("PORTICO_CUT")!, /PORTICO_TEXT/);
    assert.ok(fields!.get("PORTICO_TEXT")!.length > 90_000);
    assert.equal(sink.dropped!(), 0);
  },
);

test("journald that comes later, goes and comes back gets all", { skip }, async (t) => {
  const path = join(folder(t, {}), "socket");
  const warnings: string[] = [];
  const plan = { type: "journald", options: { path } };
  const found = probeSink(plan);
  assert.ok(found !== true && /ENOENT/.test(found.reason));
  const sink = await open(t, { path }, warnings);
  sink.write(record({ n: 1 }));
  await until("a warning", () => warnings.length === 1);
  assert.ok(warnings[0]!.startsWith(`journald at ${path} is out of reach: `), warnings[0]!);
  await sink.flush!();
  const first: Map<string, string>[] = [];
  const table = {
    datagram: (_: unknown, bytes: Uint8Array) => void first.push(parseEntry(new Uint8Array(bytes))),
    failure() {},
  };
  const socket = await adapter.bind({ transport: "unixgram", path }, table, {});
  assert.equal(probeSink(plan), true);
  await until("the first entry", () => first.length === 1);
  await socket.close();
  for (let n = 2; n < 100; n++) sink.write(record({ n }));
  await sink.flush!();
  const second = await journal(t, path);
  await until("the rest", () => second.length === 98);
  assert.deepEqual(
    second.map((fields) => fields.get("PORTICO_N")),
    [...Array(98).keys()].map((i) => `${i + 2}`),
  );
  assert.equal(sink.dropped!(), 0);
});
