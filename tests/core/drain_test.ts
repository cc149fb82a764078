import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { until, within } from "../support/until.ts";
import { gate, stage } from "../support/stage.ts";

describe("stop", () => {
  test("stop waits for sessions to end, serves who waits, then calls stop and resolves", async (t) => {
    const pages: string[] = [];
    const play = await stage(t, {
      data: (session, chunk) => void session.write(chunk),
      finish: () => void pages.push("finish"),
      stop: () => void pages.push("stop"),
    }, { concurrency: { max: 1 }, limits: { drain: 5000 } });
    const { address } = play;
    const served = play.connect();
    const waiting = play.connect();
    await play.settle();
    let stopped = false;
    const stopping = play.running.stop().then(() => stopped = true);
    const drain = await play.record("drain");
    assert.equal(drain.live, 2);
    assert.equal(drain.limitMs, 5000);
    assert.throws(() => play.adapter.peer(address), { code: "ECONNREFUSED" });
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
    assert.equal(play.of("refuse").length, 0);
    assert.deepEqual(play.running.status()[0]!.live, 0);
  });

  test("who still waits when limits.drain is over is refused, and who is served is cut", async (t) => {
    const play = await stage(t, {
      data: (session, chunk) => void session.write(chunk),
    }, { concurrency: { max: 1 }, limits: { drain: 20 } });
    const served = play.connect();
    const waiting = play.connect();
    play.send("a datagram");
    await play.settle();
    await within("stop", play.running.stop());
    assert.deepEqual(play.of("refuse").map(({ limit }) => limit), ["drain", "drain"]);
    assert.ok(waiting.over && !waiting.wasReset);
    assert.ok(served.over && !served.wasReset);
    assert.equal((await play.record("close")).reason, "drain");
    assert.equal(play.of("open").length, 1);
  });

  test("what has not ended within limits.drain is closed in order, with what was written", async (t) => {
    const play = await stage(t, {
      data: (session) => void session.write("working"),
    }, { limits: { drain: 20 } });
    const peer = play.connect();
    peer.write("x");
    await until("the answer", () => peer.text() === "working");
    await within("stop", play.running.stop());
    const close = await play.record("close");
    assert.equal(close.reason, "drain");
    assert.ok(peer.over && !peer.wasReset);
  });

  test("kill closes at once, also what stop still waits for", async (t) => {
    const play = await stage(t, { data() {} }, { limits: { drain: 60_000 } });
    play.connect();
    await play.record("open");
    const stopping = play.running.stop();
    await play.settle();
    await within("kill", play.running.kill());
    await within("stop", stopping);
    assert.equal((await play.record("close")).reason, "drain");
  });

  test("stop calls the plugin's stop once, however often it is called", async (t) => {
    let stops = 0;
    const play = await stage(t, { data() {}, stop: () => void stops++ });
    await Promise.all([play.running.stop(), play.running.stop(), play.running.kill()]);
    assert.equal(stops, 1);
  });

  test("stop lets a hook come back that is at work, datagrams too", async (t) => {
    const { passed, open } = gate();
    const play = await stage(t, {
      async data(session) {
        await passed;
        session.write("at last");
      },
    });
    play.send("x");
    await play.record("open");
    const { datagrams } = play;
    let stopped = false;
    const stopping = play.running.stop().then(() => stopped = true);
    await play.settle();
    assert.equal(stopped, false);
    open();
    await within("stop", stopping);
    const sent = [...datagrams.sent.values()].flat().map((bytes) =>
      new TextDecoder().decode(bytes)
    );
    assert.deepEqual(sent, ["at last"]);
  });

  test("a hook that never comes back does not keep stop from resolving", async (t) => {
    const play = await stage(t, { data: () => new Promise(() => {}) }, { limits: { drain: 10 } });
    play.connect().write("x");
    await play.record("open");
    await within("stop", play.running.stop());
  });

  test("the start's signal aborts when the service stops", async (t) => {
    let signal: AbortSignal | undefined;
    const play = await stage(t, {
      name: "signalled",
      transports: ["stream", "datagram"],
      start(context) {
        ({ signal } = context);
        return { data() {} };
      },
    });
    assert.equal(signal!.aborted, false);
    await play.running.stop();
    assert.equal(signal!.aborted, true);
  });
});
