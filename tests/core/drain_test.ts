import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { startInMemory } from "../support/in-memory.ts";
import { gate, turns, until, within } from "../support/until.ts";

describe("stop", () => {
  test("stop waits for sessions to end, serves who waits, then calls stop and resolves", async (t) => {
    const pages: string[] = [];
    const server = await startInMemory(t, {
      data: (session, chunk) => void session.write(chunk),
      finish: () => void pages.push("finish"),
      stop: () => void pages.push("stop"),
    }, { concurrency: { max: 1 }, limits: { drain: 5000 } });
    const { address } = server;
    const served = server.connect();
    const waiting = server.connect();
    await turns();
    let stopped = false;
    const stopping = server.running.stop().then(() => stopped = true);
    const drain = await server.record("drain");
    assert.equal(drain.live, 2);
    assert.equal(drain.limitMs, 5000);
    assert.throws(() => server.adapter.peer(address), { code: "ECONNREFUSED" });
    served.write("still served");
    await until("the echo", () => served.text() === "still served");
    assert.equal(stopped, false);
    served.end();
    waiting.write("at last");
    await until("the turn of who waits", () => waiting.text() === "at last");
    assert.equal(stopped, false);
    waiting.end();
    await within("stop", stopping);
    assert.deepEqual(pages, ["finish", "finish", "stop"]);
    assert.equal(server.all("refuse").length, 0);
    assert.deepEqual(server.running.status()[0]!.live, 0);
  });

  test("who still waits when limits.drain is over is refused, and who is served is cut", async (t) => {
    const server = await startInMemory(t, {
      data: (session, chunk) => void session.write(chunk),
    }, { concurrency: { max: 1 }, limits: { drain: 20 } });
    const served = server.connect();
    const waiting = server.connect();
    server.send("a datagram");
    await turns();
    await within("stop", server.running.stop());
    assert.deepEqual(server.all("refuse").map(({ limit }) => limit), ["drain", "drain"]);
    assert.ok(waiting.over && !waiting.wasReset);
    assert.ok(served.over && !served.wasReset);
    assert.equal((await server.record("close")).reason, "drain");
    assert.equal(server.all("open").length, 1);
  });

  test("what has not ended within limits.drain is closed in order, with what was written", async (t) => {
    const server = await startInMemory(t, {
      data: (session) => void session.write("working"),
    }, { limits: { drain: 20 } });
    const peer = server.connect();
    peer.write("x");
    await until("the answer", () => peer.text() === "working");
    await within("stop", server.running.stop());
    const close = await server.record("close");
    assert.equal(close.reason, "drain");
    assert.ok(peer.over && !peer.wasReset);
  });

  test("kill closes at once, also what stop still waits for", async (t) => {
    const server = await startInMemory(t, { data() {} }, { limits: { drain: 60_000 } });
    server.connect();
    await server.record("open");
    const stopping = server.running.stop();
    await turns();
    await within("kill", server.running.kill());
    await within("stop", stopping);
    assert.equal((await server.record("close")).reason, "drain");
  });

  test("stop calls the plugin's stop once, however often it is called", async (t) => {
    let stops = 0;
    const server = await startInMemory(t, { data() {}, stop: () => void stops++ });
    await Promise.all([server.running.stop(), server.running.stop(), server.running.kill()]);
    assert.equal(stops, 1);
  });

  test("stop lets a hook come back that is at work, datagrams too", async (t) => {
    const { passed, open } = gate();
    const server = await startInMemory(t, {
      async data(session) {
        await passed;
        session.write("at last");
      },
    });
    server.send("x");
    await server.record("open");
    const { datagrams } = server;
    let stopped = false;
    const stopping = server.running.stop().then(() => stopped = true);
    await turns();
    assert.equal(stopped, false);
    open();
    await within("stop", stopping);
    const sent = [...datagrams.sent.values()].flat().map((bytes) =>
      new TextDecoder().decode(bytes)
    );
    assert.deepEqual(sent, ["at last"]);
  });

  test("a hook that never comes back does not keep stop from resolving", async (t) => {
    const server = await startInMemory(t, { data: () => new Promise(() => {}) }, {
      limits: { drain: 10 },
    });
    server.connect().write("x");
    await server.record("open");
    await within("stop", server.running.stop());
  });

  test("the start's signal aborts when the service stops", async (t) => {
    let signal: AbortSignal | undefined;
    const server = await startInMemory(t, {
      name: "signalled",
      transports: ["stream", "datagram"],
      start(context) {
        ({ signal } = context);
        return { data() {} };
      },
    });
    assert.equal(signal!.aborted, false);
    await server.running.stop();
    assert.equal(signal!.aborted, true);
  });
});
