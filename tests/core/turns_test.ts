import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { MemoryPeer } from "../../adapters/memory/mod.ts";
import { PEER, startInMemory } from "../support/in-memory.ts";
import { turns, until } from "../support/until.ts";

const text = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);

/** Answers each line a little later, and counts how many sessions are served at once. */
function counting() {
  const seen = { now: 0, peak: 0, order: [] as string[] };
  const hooks = {
    async handle(session: { lines(): AsyncIterable<string>; write(text: string): boolean }) {
      seen.now++;
      seen.peak = Math.max(seen.peak, seen.now);
      for await (const line of session.lines()) {
        seen.order.push(line);
        await new Promise((resolve) => setTimeout(resolve, 0));
        session.write(`${line} done`);
        break;
      }
      seen.now--;
    },
  };
  return { seen, hooks: hooks as never };
}

describe("strategies", () => {
  for (const [strategy, max] of [["serial", 1], ["async", 3]] as const) {
    test(`${strategy} with max ${max} serves ${max} of 50 peers at once, all in order`, async (t) => {
      const { seen, hooks } = counting();
      const server = await startInMemory(t, hooks, { concurrency: { strategy, max } });
      const peers = Array.from({ length: 50 }, (_, i) => {
        const peer = server.connect();
        peer.write(`${i}\n`);
        return peer;
      });
      await until("all answers", () => peers.every((peer) => peer.text().endsWith("done")));
      assert.equal(seen.peak, max);
      assert.deepEqual(seen.order, peers.map((_, i) => `${i}`));
      peers.forEach((peer, i) => assert.equal(peer.text(), `${i} done`));
      assert.equal(server.all("refuse").length, 0);
    });

    test(`${strategy} with max ${max} answers 50 datagrams in order, ${max} at once`, async (t) => {
      const { seen, hooks } = counting();
      const server = await startInMemory(t, hooks, { concurrency: { strategy, max } });
      for (let i = 0; i < 50; i++) server.send(`${i}`);
      await until("all answers", () => server.answers().length === 50);
      assert.equal(seen.peak, max);
      assert.deepEqual(server.answers(), Array.from({ length: 50 }, (_, i) => `${i} done`));
    });
  }

  test("a held session is not read, is opened when its turn comes, and loses nothing", async (t) => {
    const server = await startInMemory(t, {
      data: (session, chunk) => void session.write(chunk),
    }, { concurrency: { strategy: "serial", max: 1 } });
    const first = server.connect();
    const second = server.connect();
    second.write("held ");
    second.write("bytes");
    second.end();
    await turns();
    assert.equal(second.text(), "");
    assert.equal(server.all("open").length, 1);
    assert.equal(server.running.status()[0]!.live, 2);
    first.end();
    await until("the held bytes", () => second.text() === "held bytes");
    assert.equal(server.all("open").length, 2);
  });

  test("who leaves while held frees its place, and is not served", async (t) => {
    let setups = 0;
    const server = await startInMemory(t, {
      setup: () => void setups++ as never,
      data: (session, chunk) => void session.write(chunk),
    }, { concurrency: { max: 1 }, limits: { sessions: 3 } });
    const first = server.connect();
    const leaver = server.connect();
    const third = server.connect();
    leaver.reset();
    await until("the leaver's place", () => server.running.status()[0]!.live === 2);
    const fourth = server.connect();
    await turns();
    assert.equal(server.all("refuse").length, 0, "the place was free");
    first.end();
    await server.record("open", 2);
    third.end();
    fourth.write("at last");
    await until("the fourth", () => fourth.text() === "at last");
    assert.equal(setups, 3);
  });

  test("hold refuses who waits too long, streams and datagrams", async (t) => {
    const server = await startInMemory(
      t,
      { data: (_, chunk) => text(chunk) === "stay" ? never : undefined },
      {
        concurrency: { max: 1 },
        limits: { hold: 20 },
      },
    );
    const first = server.connect();
    first.write("stay");
    await server.record("open");
    const second = server.connect();
    const refuse = await server.record("refuse");
    assert.equal(refuse.limit, "hold");
    assert.equal(refuse.level, "warn");
    assert.ok(second.over && !second.wasReset);
    server.send("late");
    const late = await server.record("refuse", 2);
    assert.equal(late.limit, "hold");
    assert.equal(late.remote, String(PEER));
    assert.equal(late.level, "warn");
    release();
    first.end();
  });
});

let release: () => void = () => {};
const never = new Promise<void>((resolve) => release = resolve);

describe("deadlines", () => {
  const echo = {
    data: (session: { write(bytes: Uint8Array): boolean }, chunk: Uint8Array) =>
      void session.write(chunk),
  };

  test("firstByte closes who says nothing, and not who has spoken", async (t) => {
    const server = await startInMemory(t, echo, { limits: { firstByte: 30 } });
    const silent = server.connect();
    const speaker = server.connect();
    speaker.write("x");
    const close = await server.record("close");
    assert.equal(close.reason, "firstByte");
    assert.ok(silent.over && !silent.wasReset);
    assert.ok(Number(close.durationMs) >= 30);
    assert.equal(speaker.over, false);
  });

  test("idle closes who falls silent, and not who goes on talking", async (t) => {
    const server = await startInMemory(t, echo, { limits: { idle: 500 } });
    const silent = server.connect();
    silent.write("x");
    const talker = server.connect();
    const timer = setInterval(() => talker.write("."), 5);
    try {
      const close = await server.record("close");
      assert.equal(close.reason, "idle");
      assert.ok(silent.over);
      assert.equal(talker.over, false);
    } finally {
      clearInterval(timer);
    }
  });

  test("lifetime closes even who talks all the time; finish is called, signal aborts", async (t) => {
    let finishes = 0;
    const aborted: boolean[] = [];
    const server = await startInMemory(t, {
      data: (session, chunk) => void session.write(chunk),
      setup: (session) =>
        void session.signal.addEventListener("abort", () => aborted.push(true)) as never,
      finish: () => void finishes++,
    }, { limits: { lifetime: 50 } });
    const peer: MemoryPeer = server.connect();
    const timer = setInterval(() => peer.write("."), 3);
    try {
      const close = await server.record("close");
      assert.equal(close.reason, "lifetime");
      assert.ok(Number(close.durationMs) < 1000);
    } finally {
      clearInterval(timer);
    }
    assert.equal(finishes, 1);
    assert.deepEqual(aborted, [true]);
  });
});
