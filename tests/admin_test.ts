/** The routes of the admin plugin, without a server around them. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { makeApp } from "../plugins/admin/app.ts";
import { Address } from "../runtime/core/endpoint.ts";
import { History } from "../plugins/admin/history.ts";
import { RecentQuantiles } from "../plugins/admin/quantiles.ts";
import { streamRecords } from "../plugins/admin/records.ts";
import { BUCKETS, DELAY_BUCKETS, newDelays, newStatistics } from "../runtime/core/statistics.ts";
import type { LogRecord, Operator } from "../runtime/mod.ts";
import { until } from "./support/until.ts";

const silent = { debug() {}, info() {}, warn() {}, error() {} };

/** Counts who listens to the records. */
function stand() {
  let taps = 0;
  const operator = {
    bounds: { delays: DELAY_BUCKETS, durations: BUCKETS },
    records(_tap: unknown) {
      taps++;
      return () => void taps--;
    },
  } as unknown as Operator;
  const { app, close } = makeApp({ operator, token: undefined, service: "admin", log: silent });
  const local = new Address("http", "127.0.0.1", 80, "");
  const remote = new Address("tcp", "127.0.0.1", 1, "");
  return {
    taps: () => taps,
    close,
    ask: async (path: string, init: RequestInit = {}) =>
      await app.fetch(new Request(`http://localhost${path}`, init), { session: { local, remote } }),
  };
}

test("who listens to the records is forgotten when gone, and when it only asks for the head", async () => {
  const { taps, ask, close } = stand();
  assert.equal(taps(), 1, "the peers'");
  const head = await ask("/records", { method: "HEAD" });
  assert.deepEqual([head.status, head.headers.get("content-type")], [200, "text/event-stream"]);
  assert.equal(taps(), 1);
  const answer = await ask("/records");
  assert.equal(taps(), 2);
  await answer.body!.cancel();
  assert.equal(taps(), 1);
  close();
  assert.equal(taps(), 0);
});

test("a body that is too long is refused, unread", async () => {
  const { ask, close } = stand();
  let read = 0;
  const body = new ReadableStream({
    pull(controller) {
      read += 4096;
      controller.enqueue(new Uint8Array(4096).fill(32));
      if (read > 1_000_000) controller.close();
    },
  });
  const headers = { "content-type": "application/json", "host": "localhost" };
  const init = { method: "POST", headers, body, duplex: "half" } as RequestInit;
  const answer = await ask("/control/suspend", init);
  assert.equal(answer.status, 413);
  assert.ok(read < 100_000, `${read} bytes are read`);
  close();
});

/** A server of services whose counts the test sets. */
function counted(names: string[]) {
  const own = newDelays();
  const services = names.map((service) => ({
    service,
    live: 0,
    served: 0,
    bytesIn: 0,
    bytesOut: 0,
    tally: newStatistics(),
  }));
  const operator = {
    bounds: { delays: DELAY_BUCKETS, durations: BUCKETS },
    delays: () => own,
    control: { status: () => ({ services }) },
  } as unknown as Operator;
  return { operator, services, own };
}

test("the history has rates between samples, and the last ones of each, in order", () => {
  const { operator, services, own } = counted(["echo"]);
  const history = new History(operator, 4);
  const [echo] = services;
  for (let second = 1; second <= 6; second++) {
    Object.assign(echo!, { live: second, served: second * 10, bytesIn: second * 1000 });
    own.buckets[1]! += 10;
    own.seconds += 0.02;
    history.sample(second * 1000);
  }
  const { times, services: told, server, periodMs } = history.since(0);
  assert.deepEqual([periodMs, times], [1000, [3000, 4000, 5000, 6000]]);
  assert.deepEqual(told["echo"]!.live, [3, 4, 5, 6]);
  assert.deepEqual(told["echo"]!.acceptedPerSecond, [10, 10, 10, 10]);
  assert.deepEqual(told["echo"]!.bytesPerSecond, [1000, 1000, 1000, 1000]);
  assert.deepEqual(told["echo"]!.delayMs, [null, null, null, null]);
  assert.deepEqual(server.delayMs, [2, 2, 2, 2]);
  // Between 1 and 5 ms, evenly.
  assert.deepEqual(server.lastMinute.delayMs, { p50: 3, p99: 4.96 });
  assert.deepEqual(history.since(5000).times, [6000]);
  assert.deepEqual(history.since(5000).services["echo"]!.live, [6]);
});

test("the history forgets services that are gone, and knows not what was before one came", () => {
  const { operator, services } = counted(["one", "two"]);
  const history = new History(operator, 10);
  history.sample(1000);
  services.shift();
  history.sample(2000);
  services.push({ ...services[0]!, service: "three", served: 1000 });
  history.sample(3000);
  const told = history.since(0).services;
  assert.deepEqual(Object.keys(told), ["two", "three"]);
  assert.deepEqual(told["three"]!.live, [null, null, 0]);
  assert.deepEqual(told["three"]!.acceptedPerSecond, [null, null, null], "no rate of one sample");
});

test("quantiles are those of the last minute", () => {
  const recent = new RecentQuantiles([0.001, 0.005, 0.01]);
  assert.equal(recent.get(), undefined);
  recent.note([0, 0, 1000, 0], 0);
  assert.equal(recent.get(), undefined, "what was before is not of this minute");
  recent.note([100, 0, 1000, 0], 1000);
  assert.deepEqual(recent.get(), { p50: 0.5, p99: 0.99 });
  for (let at = 2000; at <= 100_000; at += 1000) recent.note([100, 0, 1000, 0], at);
  assert.equal(recent.get(), undefined);
  recent.note([100, 0, 1000, 3], 101_000);
  assert.deepEqual(recent.get(), { p50: 10, p99: 10 }, "of the last bucket its lower bound");
});

test("people are given records in words: those before, then what matters of a flood", async () => {
  let tap: (record: LogRecord) => void = () => {};
  const record = (level: "info" | "error", count: number): LogRecord => ({
    time: count,
    level,
    event: "log",
    service: "noise",
    text: "noise",
    count,
  });
  const operator = {
    records(listener: typeof tap) {
      tap = listener;
      for (let i = 0; i < 500; i++) listener(record("info", i));
      return () => {};
    },
  } as unknown as Operator;
  const reader = streamRecords(operator, true).body!.pipeThrough(new TextDecoderStream())
    .getReader();
  let text = "";
  void (async () => {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      text += value;
    }
  })();
  await until("those before", () => text.includes('"count":499'));
  assert.ok(text.startsWith('data: {"words":"noise count=0","record":{"time":0,'));
  text = "";
  for (let i = 0; i < 20_000; i++) tap(record(i === 19_999 ? "error" : "info", i));
  await until("the error", () => text.includes('"level":"error"'));
  assert.equal(text.match(/^data: \{/gm)?.length, 101);
  assert.match(text, /^event: skipped\ndata: 19899\n\n/);
  text = "";
  tap({ ...record("info", 1), text: "x".repeat(100_000), more: "y".repeat(100_000) });
  await until("a long one", () => text.includes("xxx"));
  assert.ok(text.length < 5000, `${text.length}`);
  await reader.cancel();
});
