import assert from "node:assert/strict";
import {
  appendFileSync,
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { basename, dirname, join } from "node:path";
import process from "node:process";
import { afterEach, describe, test } from "node:test";
import { gunzipSync } from "node:zlib";
import type { LogRecord, Sink } from "../../runtime/core/record.ts";
import { archiveName, periodOf } from "../../runtime/sinks/file/rotation.ts";
import { type FileOptions, openFile } from "../../runtime/sinks/file/sink.ts";
import { textLine } from "../../runtime/sinks/text.ts";
import { command, runToEnd } from "../support/command.ts";
import { folder } from "../support/folder.ts";
import { turns, until } from "../support/until.ts";
import { json, lineOf, record } from "./record.ts";

const quiet = (): void => {};
const opened = new Set<Sink>();

// Deno does not run t.after of a test inside a describe.
afterEach(async () => {
  for (const sink of opened) await sink.close!();
  opened.clear();
});

function open(
  path: string,
  options: Partial<FileOptions> = {},
  warn: (message: string) => void = quiet,
): Sink {
  const sink = openFile({ path, format: "json", ...options } as FileOptions, warn);
  opened.add(sink);
  return sink;
}

const lines = (text: string): LogRecord[] =>
  text.split("\n").slice(0, -1).map((line) => JSON.parse(line));
/** The numbers of the records in a file. */
const numbers = (path: string): unknown[] => lines(readFileSync(path, "utf8")).map(({ n }) => n);

/** The files that were put aside, the oldest first. */
function aside(path: string): string[] {
  const names = readdirSync(dirname(path)).filter((name) => name !== basename(path)).sort();
  return names.map((name) => join(dirname(path), name));
}

describe("file", () => {
  test("openFile appends JSON lines", async (t) => {
    const path = join(folder(t, { "a.log": "before\n" }), "a.log");
    const sink = open(path);
    sink.write(record({ n: 1 }));
    sink.write(record({ event: "ready" }));
    await sink.flush!();
    assert.equal(
      readFileSync(path, "utf8"),
      `before\n${json(record({ n: 1 }))}${json(record({ event: "ready" }))}`,
    );
  });

  test("openFile writes text on demand", async (t) => {
    const path = join(folder(t, {}), "a.log");
    const sink = open(path, { format: "text" });
    sink.write(record({ text: "hello" }));
    await sink.flush!();
    assert.equal(readFileSync(path, "utf8"), lineOf(textLine, record({ text: "hello" })));
  });

  test("openFile gives a new file its mode, and leaves that of an old one", async (t) => {
    const home = folder(t, { "old.log": "" });
    chmodSync(join(home, "old.log"), 0o600);
    for (const name of ["new.log", "old.log"]) open(join(home, name), { mode: 0o664 });
    const modes = ["new.log", "old.log"].map((name) => statSync(join(home, name)).mode & 0o777);
    assert.deepEqual(modes, [0o664, 0o600]);
    await turns();
  });

  test("openFile ends a line that somebody has left torn", async (t) => {
    const path = join(folder(t, { "a.log": '{"half' }), "a.log");
    const sink = open(path);
    sink.write(record({ n: 1 }));
    await sink.flush!();
    assert.equal(readFileSync(path, "utf8"), `{"half\n${json(record({ n: 1 }))}`);
  });

  test("reopen goes on in a new file after a rotation, and loses nothing", async (t) => {
    const path = join(folder(t, {}), "a.log");
    const sink = open(path);
    sink.write(record({ n: 1 }));
    renameSync(path, `${path}.1`);
    sink.reopen!();
    sink.write(record({ n: 2 }));
    await sink.flush!();
    assert.deepEqual([numbers(`${path}.1`), numbers(path)], [[1], [2]]);
  });

  test("openFile names the file that cannot be opened", (t) => {
    const path = join(folder(t, {}), "no/a.log");
    assert.throws(() => open(path), {
      code: "ENOENT",
      side: "config",
      message: new RegExp(`^Cannot open ${path} as a log file: `),
    });
  });

  test("records arrive without a flush, and at the latest when the process ends", async (t) => {
    const home = folder(t, {
      "s.ts": `
import process from "node:process";
import { openFile } from "${new URL("../../runtime/sinks/file/sink.ts", import.meta.url).href}";
const sink = openFile({ path: "PATH", format: "json" }, () => {});
sink.write({ time: 0, level: "info", event: "log", n: 1 });
process.exit(3);
`,
    });
    const path = join(home, "a.log");
    const script = join(home, "s.ts");
    writeFileSync(script, readFileSync(script, "utf8").replace("PATH", path));
    const { code } = await runToEnd(command(script));
    assert.equal(code, 3);
    assert.deepEqual(numbers(path), [1]);
    const sink = open(path);
    sink.write(record({ n: 2 }));
    await until("the record", () => numbers(path).length === 2);
    sink.write(record({ n: 3, level: "error" }));
    await until("the next", () => numbers(path).length === 3);
  });

  test("two files on one path write whole lines between each other", async (t) => {
    const path = join(folder(t, {}), "a.log");
    const sinks = [open(path), open(path)];
    for (let n = 0; n < 2000; n++) {
      for (const [who, sink] of sinks.entries()) {
        sink.write(record({ n, who, text: "x".repeat(n) }));
      }
      if (n % 50 === 0) await turns(1);
    }
    await Promise.all(sinks.map((sink) => sink.flush!()));
    const all = lines(readFileSync(path, "utf8"));
    for (const who of [0, 1]) {
      const mine = all.filter((one) => one["who"] === who).map(({ n }) => n);
      assert.deepEqual(mine, Array.from({ length: 2000 }, (_, n) => n));
    }
  });
});

describe("file that cannot be written to", () => {
  const full = existsSync("/dev/full") ? false : "there is no /dev/full";

  test("a full disk is told once, and costs records in bounds", { skip: full }, async () => {
    const told: string[] = [];
    const sink = open("/dev/full", {}, (message) => told.push(message));
    const text = "x".repeat(10_000);
    for (let n = 0; n < 100; n++) sink.write(record({ n, text }));
    await until("the report", () => told.length > 0);
    for (let n = 0; n < 200; n++) sink.write(record({ n, text }));
    // Of what came later at most a megabyte is held.
    assert.ok(sink.dropped!() >= 90 && sink.dropped!() < 110, `${sink.dropped!()} dropped`);
    assert.equal(told.length, 1);
    assert.match(told[0]!, /^cannot write to \/dev\/full: ENOSPC/);
    await sink.close!();
    opened.delete(sink);
    assert.equal(sink.dropped!(), 300);
    assert.equal(told.length, 2);
    assert.match(told[1]!, /records were lost: \/dev\/full/);
  });

  test("a file that is removed with its folder is made anew when that is back", async (t) => {
    const path = join(folder(t, { "log/keep": "" }), "log/a.log");
    const told: string[] = [];
    const sink = open(path, {}, (message) => told.push(message));
    sink.write(record({ n: 1 }));
    await sink.flush!();
    rmSync(dirname(path), { recursive: true });
    let n = 1;
    await until("the trouble", () => {
      sink.write(record({ n: ++n }));
      return told.length > 0;
    });
    assert.match(told[0]!, /^cannot write to .*ENOENT/);
    const text = "x".repeat(10_000);
    for (let more = 0; more < 200; more++) sink.write(record({ n: ++n, text }));
    const lost = sink.dropped!();
    assert.ok(lost > 80, `${lost} dropped`);
    mkdirSync(dirname(path));
    await until("the file", () => existsSync(path));
    await until("the notice", () => /were lost/.test(readFileSync(path, "utf8")));
    const found = lines(readFileSync(path, "utf8"));
    const notice = found.at(-1)!;
    assert.equal(notice["level"], "warn");
    assert.match(String(notice["message"]), new RegExp(`^${lost} records were lost: .*ENOENT`));
    assert.equal(sink.dropped!(), lost);
    // Those before it are whole, in order, and none is missing between them.
    const kept = found.slice(0, -1).map((one) => Number(one["n"]));
    assert.deepEqual(kept, Array.from(kept, (_, index) => kept[0]! + index));
    assert.equal(kept.at(-1), n - lost);
    sink.write(record({ n: "last" }));
    await sink.flush!();
    assert.equal(numbers(path).at(-1), "last");
  });

  test("a file that alone is removed is made anew", async (t) => {
    const path = join(folder(t, {}), "a.log");
    const told: string[] = [];
    const sink = open(path, {}, (message) => told.push(message));
    rmSync(path);
    await until("a new file", () => {
      sink.write(record({ n: 1 }));
      return existsSync(path);
    });
    assert.deepEqual(told, [`${path} was removed; it was made anew`]);
  });
});

describe("rotation", () => {
  const rotate = { keep: 100, gzip: false };

  test("by size no file exceeds it, and nothing is lost, torn or doubled", async (t) => {
    const path = join(folder(t, {}), "a.log");
    const sink = open(path, { rotate: { ...rotate, size: 10_000 } });
    for (let n = 0; n < 2000; n++) {
      sink.write(record({ n }));
      if (n % 100 === 0) await turns(1);
    }
    await sink.flush!();
    const files = [...aside(path), path];
    assert.ok(files.length > 10 && files.length < 30, `${files.length} files`);
    for (const file of files) assert.ok(statSync(file).size <= 10_000, file);
    assert.deepEqual(files.flatMap(numbers), Array.from({ length: 2000 }, (_, n) => n));
  });

  test("a line that is longer than the limit has a file of its own", async (t) => {
    const path = join(folder(t, {}), "a.log");
    const sink = open(path, { rotate: { ...rotate, size: 1000 } });
    sink.write(record({ n: 1 }));
    sink.write(record({ n: 2, text: "é".repeat(2000) }));
    sink.write(record({ n: 3 }));
    await sink.flush!();
    assert.deepEqual([...aside(path), path].map(numbers), [[1], [2], [3]]);
  });

  test("by time a file of an earlier period is put aside before the next line", async (t) => {
    const path = join(folder(t, { "a.log": json(record({ n: 1 })) }), "a.log");
    const yesterday = Date.now() / 1000 - 86_400;
    utimesSync(path, yesterday, yesterday);
    const sink = open(path, { rotate: { ...rotate, every: 86_400_000 } });
    sink.write(record({ n: 2 }));
    sink.write(record({ n: 3 }));
    await sink.flush!();
    assert.deepEqual([...aside(path), path].map(numbers), [[1], [2, 3]]);
  });

  test("periodOf begins a day at the local midnight", () => {
    const day = 86_400_000;
    const midnight = new Date(2026, 5, 15).getTime();
    assert.equal(periodOf(midnight, day), periodOf(midnight + day - 1, day));
    assert.equal(periodOf(midnight, day), periodOf(midnight - 1, day) + 1);
  });

  test("keep counts what is put aside, and gzip compresses it, whole", async (t) => {
    const path = join(folder(t, { "a.log.other": "", "a.log.1": "" }), "a.log");
    const sink = open(path, { rotate: { keep: 3, gzip: true, size: 5000 } });
    for (let n = 0; n < 1000; n++) {
      sink.write(record({ n }));
      if (n % 20 === 0) await turns(1);
    }
    await sink.close!();
    opened.delete(sink);
    const foreign = [`${path}.1`, `${path}.other`];
    assert.ok(foreign.every((file) => existsSync(file)), "what others have put there stays");
    const packed = aside(path).filter((file) => !foreign.includes(file));
    assert.equal(packed.length, 3, String(packed));
    const latest = packed.pop()!;
    assert.match(latest, /\.\d{8}-\d{6}\.\d{3}$/, "the latest waits");
    for (const file of packed) assert.match(file, /\.\d{8}-\d{6}\.\d{3}\.gz$/);
    const found = packed.flatMap((file) =>
      lines(gunzipSync(readFileSync(file)).toString()).map(({ n }) => n)
    ).concat(numbers(latest), numbers(path));
    assert.deepEqual(found, Array.from(found, (_, index) => 1000 - found.length + index));
    assert.equal(statSync(packed[0]!).mode & 0o777, 0o640 & ~process.umask());
  });

  test("what a process has left half compressed is compressed by the next", async (t) => {
    const home = folder(t, {
      "a.log.20260101-000000.000": json(record({ n: 1 })),
      "a.log.20260101-000000.000.gz.part": "half",
      "a.log.20260102-000000.000.gz": "packed",
    });
    const path = join(home, "a.log");
    // It is an hour old; a younger one may be somebody's who is still at it.
    const hour = Date.now() / 1000 - 3600;
    utimesSync(join(home, "a.log.20260101-000000.000.gz.part"), hour, hour);
    const sink = open(path, { rotate: { keep: 5, gzip: true, size: 5000 } });
    await sink.close!();
    opened.delete(sink);
    const names = aside(path).map((file) => basename(file));
    assert.deepEqual(names, ["a.log.20260101-000000.000.gz", "a.log.20260102-000000.000.gz"]);
    const text = gunzipSync(readFileSync(join(home, names[0]!))).toString();
    assert.equal(text, json(record({ n: 1 })));
  });

  test("archiveName gives no name twice", (t) => {
    const path = join(folder(t, {}), "a.log");
    const time = Date.UTC(2026, 10, 21, 16, 7, 27, 999);
    const first = archiveName(path, time);
    assert.equal(basename(first), "a.log.20261121-160727.999");
    writeFileSync(first, "");
    const second = archiveName(path, time);
    assert.equal(basename(second), "a.log.20261121-160728.000");
    writeFileSync(`${second}.gz`, "");
    assert.equal(basename(archiveName(path, time)), "a.log.20261121-160728.001");
  });

  test("a rotation that somebody else has made is followed, not repeated", async (t) => {
    const path = join(folder(t, {}), "a.log");
    const sink = open(path, { rotate: { ...rotate, size: 200 } });
    sink.write(record({ n: 1 }));
    await sink.flush!();
    renameSync(path, `${path}.theirs`);
    appendFileSync(path, json(record({ n: "theirs" })));
    sink.write(record({ n: 2, text: "x".repeat(150) }));
    await sink.flush!();
    assert.deepEqual(numbers(path), ["theirs", 2]);
    assert.equal(aside(path).length, 1);
  });
});

describe("warnSize and maxSize", () => {
  test("at one a line warns, at the other logging ends with a line, until a reopen", async (t) => {
    const path = join(folder(t, {}), "a.log");
    const told: string[] = [];
    const sink = open(path, { warnSize: 1000, maxSize: 5000 }, (message) => told.push(message));
    for (let n = 0; n < 200; n++) {
      sink.write(record({ n }));
      if (n % 10 === 0) await turns(1);
    }
    await sink.flush!();
    const found = lines(readFileSync(path, "utf8"));
    const messages = found.flatMap(({ message }) => message === undefined ? [] : [message]);
    assert.deepEqual(messages, [
      `${path} has reached its warnSize`,
      `${path} has reached its maxSize: nothing more is written to it`,
    ]);
    assert.equal(found.at(-1)!["message"], messages[1]);
    assert.deepEqual(told, [messages[1]]);
    const kept = found.flatMap(({ n }) => n === undefined ? [] : [n]);
    assert.deepEqual(kept, Array.from(kept, (_, n) => n));
    assert.equal(sink.dropped!(), 200 - kept.length);
    assert.ok(statSync(path).size < 5300);
    renameSync(path, `${path}.1`);
    sink.reopen!();
    sink.write(record({ n: "again" }));
    await sink.flush!();
    assert.deepEqual(numbers(path), ["again"]);
    assert.equal(sink.dropped!(), 200 - kept.length, "a reopen forgets no losses");
  });
});
