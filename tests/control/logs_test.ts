/** Records over a control socket: what is kept, who gets what, and readers that are slow. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { ask } from "../../runtime/control/client.ts";
import { RecordStream } from "../../runtime/control/record-stream.ts";
import { Log } from "../../runtime/core/log.ts";
import type { LogRecord } from "../../runtime/core/record.ts";
import { RecordTap } from "../../runtime/daemon/record-tap.ts";
import { adapter } from "../support/adapter.ts";
import { gate, until, within } from "../support/until.ts";
import { dialLines, fakeControl, serveControl } from "./fake.ts";

/** A log that has nothing but a tap. */
function tapped(): { tap: RecordTap; log: Log } {
  const tap = new RecordTap();
  return { tap, log: new Log([], assert.fail, tap) };
}

const ALL = { level: "debug", lines: 1000 } as const;

/** What a reader is given at once. */
function kept(tap: RecordTap, query: Parameters<RecordTap["read"]>[0] = ALL): LogRecord[] {
  const records: LogRecord[] = [];
  tap.read(query, (json) => records.push(JSON.parse(json)))();
  return records;
}

describe("a tap", () => {
  test("keeps what an operator has to know, and wants nothing of sessions while nobody reads", () => {
    const { tap, log } = tapped();
    for (const event of ["open", "close", "refuse", "request", "log"] as const) {
      assert.equal(log.wants("info", event, 1), false, event);
    }
    log.emit("info", "open", { service: "a", session: 1 });
    log.emit("info", "ready", {});
    log.emit("info", "log", { service: "a", text: "hello" });
    log.emit("warn", "log", { service: "a", text: "oh" });
    log.emit("debug", "error", { service: "a", code: "ECONNRESET" });
    log.emit("error", "error", { code: "MANIFEST_INVALID", during: "reload" });
    assert.deepEqual(kept(tap).map(({ event }) => event), ["ready", "log", "error"]);
    assert.deepEqual(kept(tap, { ...ALL, service: "a" }).map((it) => it["text"]), ["oh"]);
    assert.deepEqual(kept(tap, { ...ALL, level: "error" }).length, 1);
    assert.deepEqual(kept(tap, { ...ALL, lines: 1 })[0]!["during"], "reload");
    assert.deepEqual(kept(tap, { ...ALL, lines: 0 }), []);
  });

  test("keeps 200 records, and no more than half a million characters of them", () => {
    const { tap, log } = tapped();
    for (let i = 0; i < 300; i++) log.emit("warn", "log", { text: String(i) });
    const last = kept(tap);
    assert.deepEqual([last.length, last[0]!["text"], last[199]!["text"]], [200, "100", "299"]);
    for (let i = 0; i < 100; i++) log.emit("warn", "log", { text: "x".repeat(50_000) });
    assert.equal(kept(tap).length, 10);
    log.emit("warn", "log", { text: "x".repeat(600_000) });
    assert.deepEqual(kept(tap), []);
  });

  test("gives a reader what it wants as long as it reads, and tells who makes records", () => {
    const { tap, log } = tapped();
    let told = 0;
    const unwatch = log.watch(() => told++);
    const before = log.wanted;
    const records: LogRecord[] = [];
    const query = { service: "a", level: "debug", lines: 0 } as const;
    const end = tap.read(query, (json) => records.push(JSON.parse(json)));
    assert.equal(log.wants("debug", "open", 1), true);
    assert.equal(log.wants("debug", "request", 1), false, "nobody asks for those by their names");
    assert.equal(log.wanted?.sample, 1);
    log.emit("debug", "open", { service: "a", session: 7 });
    log.emit("debug", "open", { service: "b", session: 8 });
    log.emit("info", "ready", {});
    assert.deepEqual(records.map(({ session }) => session), [7]);
    end();
    end();
    assert.equal(log.wants("debug", "open", 1), false);
    assert.deepEqual(log.wanted, before);
    log.emit("debug", "open", { service: "a", session: 9 });
    assert.equal(records.length, 1);
    assert.equal(told, 2);
    unwatch();
  });

  test("is written to beside the sinks of a log, whatever those want", () => {
    const tap = new RecordTap();
    const records: LogRecord[] = [];
    const sink = { write: (record: LogRecord) => void records.push(record) };
    const log = new Log([{ name: "list", sink, level: "error", sample: 0 }], assert.fail, tap);
    log.emit("info", "ready", {});
    assert.equal(records.length, 0);
    assert.equal(kept(tap).length, 1);
    assert.equal(log.sinksWant("info", "ready"), false);
    assert.equal(log.wants("info", "ready"), true);
  });
});

describe("a stream of records", () => {
  test("takes them at once, gathers them, and counts what a slow reader misses where it was", async () => {
    const sent: string[] = [];
    let room = gate();
    const stream = new RecordStream(async (text) => {
      sent.push(text);
      await room.passed;
    });
    stream.take('{"n":1}');
    stream.take('{"n":2}');
    await until("the first text", () => sent.length === 1);
    assert.equal(sent[0], '{"record":{"n":1}}\n{"record":{"n":2}}\n');
    const long = `"${"x".repeat(99_990)}"`;
    for (let i = 0; i < 30; i++) stream.take(long);
    room.open();
    room = gate();
    await until("the second text", () => sent.length === 2);
    const count = sent[1]!.split("\n").length - 1;
    assert.equal(count, 10, "a mebibyte at most waits");
    stream.take('{"n":3}');
    room.open();
    await stream.flush();
    const lines = sent[2]!.trimEnd().split("\n").map((line) => JSON.parse(line).record);
    assert.equal(lines[0].lost, 20);
    assert.match(lines[0].message, /^20 records were left out/);
    assert.deepEqual(lines[1], { n: 3 });
    assert.equal(lines.length, 2);
  });
});

describe("logs over a control socket", () => {
  test("are lines before the answer; with follow until the peer says something more", async (t) => {
    let give: (json: string) => void = () => {};
    let ended = 0;
    const control = fakeControl({
      logs(query, take) {
        assert.deepEqual(query, { service: "echo", level: "warn", lines: 3 });
        take('{"n":1}');
        give = take;
        return () => void ended++;
      },
    });
    const { path, close } = await serveControl(t, control);
    const { say, hear, socket } = await dialLines(path);
    const request = { command: "logs", service: "echo", level: "warn", lines: 3 };
    say(request);
    assert.deepEqual(await hear(), { record: { n: 1 } });
    assert.deepEqual(await hear(), { ok: true, result: 1 });
    say({ ...request, follow: true });
    assert.deepEqual(await hear(), { record: { n: 1 } });
    give('{"n":2}');
    assert.deepEqual(await hear(), { record: { n: 2 } });
    assert.equal(ended, 1);
    say({ command: "resume" });
    assert.deepEqual(await hear(), { ok: true, result: 2 });
    assert.deepEqual(await hear(), { ok: true, result: ["echo", "time"] });
    assert.equal(ended, 2);
    socket.destroy();
    await close();
  });

  test("end with the peer, and with the server, which answers at last", async (t) => {
    let readers = 0;
    const control = fakeControl({
      logs() {
        readers++;
        return () => void readers--;
      },
    });
    const { path, close } = await serveControl(t, control);
    const follow = { command: "logs", follow: true } as const;
    const gone = await dialLines(path);
    gone.say(follow);
    await until("a reader", () => readers === 1);
    gone.socket.destroy();
    await until("no reader", () => readers === 0);
    const asked = ask(adapter, path, follow, { take: () => Promise.resolve() });
    await until("a reader", () => readers === 1);
    await close();
    assert.equal(await within("the answer", asked), 0);
    assert.equal(readers, 0);
  });

  test("a reader that does not read loses records, and nobody waits for it", async (t) => {
    let give: (json: string) => void = () => {};
    const { path, close } = await serveControl(
      t,
      fakeControl({
        logs(_, take) {
          give = take;
          return () => {};
        },
      }),
    );
    const held = gate();
    const items: { record: { lost?: number; x?: string } }[] = [];
    const asked = ask(adapter, path, { command: "logs", follow: true }, {
      async take(item) {
        items.push(item as typeof items[number]);
        await held.passed;
      },
    });
    await until("a reader", () => give.length > 0);
    const record = JSON.stringify({ x: "y".repeat(1000) });
    // In turns, as a server makes them.
    for (let i = 0; i < 200; i++) {
      for (let j = 0; j < 100; j++) give(record);
      await new Promise<void>((resolve) => setImmediate(resolve));
    }
    assert.ok(items.length <= 1, "the client itself reads no more than it can pass on");
    held.open();
    await until("the end of what was kept", () => items.some((item) => item.record.lost));
    await close();
    await within("the answer", asked);
    const lost = items.reduce((sum, item) => sum + (item.record.lost ?? 0), 0);
    const got = items.filter((item) => item.record.x !== undefined).length;
    assert.equal(got + lost, 20_000, `${got} have come, ${lost} are counted`);
    assert.ok(lost > 10_000, `${lost} are lost`);
  });
});
