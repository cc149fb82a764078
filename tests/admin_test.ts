/** The routes of the admin plugin, without a server around them. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { makeApp } from "../plugins/admin/app.ts";
import { Address } from "../runtime/core/endpoint.ts";
import type { Operator } from "../runtime/mod.ts";

const silent = { debug() {}, info() {}, warn() {}, error() {} };

/** Counts who listens to the records. */
function stand() {
  let taps = 0;
  const operator = {
    bounds: { delays: [], durations: [] },
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
