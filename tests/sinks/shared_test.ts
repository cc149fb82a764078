/** Log files that are no plain files of one server: several writers, pipes, links. */
import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import {
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { describe, test, type TestContext } from "node:test";
import { gunzipSync } from "node:zlib";
import type { Sink } from "../../runtime/core/record.ts";
import { type FileOptions, openFile } from "../../runtime/sinks/file/sink.ts";
import { checkSink, probeSink } from "../../runtime/sinks/mod.ts";
import { command, runToEnd } from "../support/command.ts";
import { folder } from "../support/folder.ts";
import { sendSignal } from "../support/proc.ts";
import { lackingPrograms } from "../support/packages.ts";
import { until, within } from "../support/until.ts";
import { record } from "./record.ts";

function open(
  t: TestContext,
  path: string,
  options: Partial<FileOptions> = {},
  told: string[] = [],
): Sink {
  const warn = (message: string): void => void told.push(message);
  const sink = openFile({ path, format: "json", ...options } as FileOptions, warn);
  t.after(() => sink.close!());
  return sink;
}

/** Lines of a text; one that is no JSON fails. */
const lines = (text: string): Record<string, unknown>[] =>
  text.split("\n").slice(0, -1).map((line) => JSON.parse(line));
const numbers = (text: string): unknown[] => lines(text).map(({ n }) => n);
const upTo = (count: number): number[] => Array.from({ length: count }, (_, n) => n);

/** Writes records without a pause to speak of, then ends. */
const WRITER = `
import { openFile } from "${new URL("../../runtime/sinks/file/sink.ts", import.meta.url).href}";
const [path, who, count, gzip] = process.argv.slice(2);
const rotate = { size: 20_000, keep: 1e6, gzip: gzip === "true" };
const sink = openFile({ path, format: "json", rotate }, (message) => console.error(message));
for (let n = 0; n < Number(count); n++) {
  const pad = "x".repeat(n % 300) + (n % 500 === 0 ? "y".repeat(9000) : "");
  sink.write({ time: Date.now(), level: "info", event: "log", who, n, pad });
  if (n % 20 === 0) await new Promise((resolve) => setTimeout(resolve, n % 100 === 0 ? 3 : 0));
}
await sink.close();
`;

describe("a log file of several servers", () => {
  for (const gzip of [false, true]) {
    test(`that all of them rotate${gzip ? " and compress" : ""} loses and tears nothing`, async (t) => {
      const home = folder(t, { "writer.ts": WRITER, "log/x": "" });
      const path = join(home, "log/a.log");
      const [who, count] = [["a", "b", "c", "d"], 4000];
      const ends = who.map(async (name) => {
        const { code, out, err } = await runToEnd(
          command(join(home, "writer.ts"), path, name, String(count), String(gzip)),
        );
        const errors = out + err;
        assert.equal(code, 0, errors);
        assert.doesNotMatch(errors, /cannot|removed/);
      });
      await Promise.all(ends);
      const files = readdirSync(join(home, "log")).filter((name) => name.startsWith("a.log"));
      assert.ok(files.length > 10, `${files.length} files`);
      assert.ok(files.every((name) => !name.endsWith(".part")), String(files));
      const found = files.flatMap((name) => {
        const bytes = readFileSync(join(home, "log", name));
        const text = (name.endsWith(".gz") ? gunzipSync(bytes) : bytes).toString();
        // Who opens the file while another is in the middle of a write may end its line for it.
        return lines(text.replace(/^\n/gm, ""));
      });
      for (const name of who) {
        const mine = found.filter((line) => line["who"] === name).map(({ n }) => Number(n));
        assert.deepEqual(mine.sort((a, b) => a - b), upTo(count), name);
      }
      assert.equal(found.length, who.length * count);
    });
  }
});

describe("a named pipe as log file", { skip: lackingPrograms("mkfifo", "cat") }, () => {
  function pipe(t: TestContext): string {
    const path = join(folder(t, {}), "a.log");
    execFileSync("mkfifo", [path]);
    return path;
  }

  /** Reads a pipe until it is told to stop. */
  function read(t: TestContext, path: string): { text(): string; leave(): Promise<unknown> } {
    const cat = spawn("cat", [path], { stdio: ["ignore", "pipe", "inherit"] });
    t.after(() => void cat.kill("SIGKILL"));
    let text = "";
    cat.stdout.setEncoding("utf8").on("data", (chunk: string) => text += chunk);
    const gone = once(cat, "close");
    return {
      text: () => text,
      leave() {
        sendSignal(cat.pid!, "SIGKILL");
        return gone;
      },
    };
  }

  test("waits for its reader, outlives it, and goes on with the next", async (t) => {
    const path = pipe(t);
    const told: string[] = [];
    const sink = open(t, path, {}, told);
    let n = 0;
    const texts: string[] = [];
    for (let round = 0; round < 2; round++) {
      for (const end = n + 300; n < end; n++) sink.write(record({ n, pad: "x".repeat(n) }));
      const reader = read(t, path);
      await until("what was written before", () => reader.text().includes(`"n":${n - 1},`));
      await until("the end of a line", () => reader.text().endsWith("\n"));
      await reader.leave();
      texts.push(reader.text());
    }
    assert.deepEqual(texts.flatMap(numbers), upTo(n));
    assert.deepEqual(told, []);
  });

  test("that nobody reads costs bounded memory and does not hold up the end", async (t) => {
    const path = pipe(t);
    const told: string[] = [];
    const sink = open(t, path, {}, told);
    const pad = "x".repeat(10_000);
    for (let n = 0; n < 3000; n++) sink.write(record({ n, pad }));
    assert.ok(sink.dropped!() > 1000, `${sink.dropped!()} dropped`);
    await within("the close", sink.close!());
    assert.match(told.at(-1)!, /^\d+ records were lost: .*a\.log could not be written to$/);
  });

  test("gives lines that are longer than a pipe takes at once, whole", async (t) => {
    const path = pipe(t);
    const sink = open(t, path);
    const reader = read(t, path);
    const pads = [10, 4096, 5000, 200_000, 1].map((length) => "é".repeat(length));
    for (const pad of pads) sink.write(record({ pad }));
    await sink.flush!();
    await until("all", () => reader.text().split("\n").length > pads.length);
    assert.deepEqual(lines(reader.text()).map((line) => line["pad"]), pads);
    await reader.leave();
  });
});

describe("a link as log file", () => {
  test("leads to the file that is written and rotated; the link stays, and may be turned", async (t) => {
    const home = folder(t, { "data/x": "", "other/x": "" });
    const path = join(home, "a.log");
    symlinkSync("data/real.log", path);
    const sink = open(t, path, { rotate: { size: 200, keep: 9, gzip: false } });
    for (let n = 0; n < 3; n++) {
      sink.write(record({ n, pad: "x".repeat(120) }));
      await sink.flush!();
    }
    assert.ok(lstatSync(path).isSymbolicLink());
    const names = readdirSync(join(home, "data")).filter((name) => name !== "x").sort();
    assert.equal(names.length, 3);
    const texts = names.map((name) => readFileSync(join(home, "data", name), "utf8"));
    assert.deepEqual(texts.flatMap(numbers).sort(), [0, 1, 2]);
    writeFileSync(join(home, "new"), "");
    symlinkSync("other/real.log", join(home, "turned"));
    renameSync(join(home, "turned"), path);
    sink.reopen!();
    sink.write(record({ n: 3 }));
    await sink.flush!();
    assert.deepEqual(numbers(readFileSync(join(home, "other/real.log"), "utf8")), [3]);
  });
});

describe("what is no log file", () => {
  test("is found without opening it: a folder, a socket's path, a folder that is a file, a link to nowhere", (t) => {
    const home = folder(t, { "dir/x": "", file: "" });
    mkdirSync(join(home, "empty"));
    symlinkSync("nowhere/a.log", join(home, "link"));
    symlinkSync("loop", join(home, "loop"));
    const cases: [string, RegExp][] = [
      ["dir", /dir is a folder/],
      ["file/a.log", /ENOTDIR/],
      ["link", /ENOENT.*nowhere/],
      ["loop", /ELOOP/],
    ];
    for (const [name, reason] of cases) {
      const options = { path: join(home, name) };
      assert.ok("options" in checkSink({ type: "file", options }));
      const found = probeSink({ type: "file", options });
      assert.match(found === true ? "it can be opened" : found.reason, reason, name);
      assert.throws(() => openFile({ ...options, format: "json" }, () => {}), { side: "config" });
    }
    assert.equal(probeSink({ type: "file", options: { path: join(home, "empty/a") } }), true);
    assert.equal(existsSync(join(home, "empty/a")), false);
  });
});
