/** The deadlines of streams, by a clock that stands still: whom each one ends, and above all whom not. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { setImmediate } from "node:timers";
import { definePlugin, Framer, lines } from "portico";
import { open } from "portico/testing";
import chargen from "../../plugins/chargen.ts";
import echo from "../../plugins/echo.ts";

/** Answers lines, as a person's protocol does. */
const talking = definePlugin({
  name: "talking",
  transports: ["stream"],
  start: () => ({
    async handle(session) {
      for await (const line of session.lines()) await session.send(`${line}!\n`);
    },
  }),
});

/** The same in push form: the framer in the state, or in what the state is. */
const pushing = (inside: boolean) =>
  definePlugin({
    name: "pushing",
    transports: ["stream"],
    start: () => ({
      setup: () => inside ? { framer: new Framer(lines()) } : new Framer(lines()),
      data(session, chunk) {
        const { state } = session;
        const framer = "framer" in state ? state.framer : state;
        for (const line of framer.push(chunk)) session.write(`${line}!\n`);
      },
    }),
  });

/** Says something now and then, and nothing else. */
const telling = definePlugin({
  name: "telling",
  transports: ["stream"],
  start: () => ({ setup: (session) => void session.write("news\n"), data() {} }),
});

const progress = "256B/2m";
const WAYS = { pull: talking, push: pushing(false), "push, in its state": pushing(true) };

describe("progress", () => {
  for (const [way, plugin] of Object.entries(WAYS)) {
    test(`one byte a second of a line that never ends: ${way}`, async () => {
      await using service = await open(plugin as typeof talking, { limits: { progress } });
      const peer = service.connect();
      let seconds = 0;
      for (; seconds < 400 && !peer.over; seconds++) {
        peer.send("x");
        await service.clock.advance("1s");
      }
      const { reason, record } = await peer.closed;
      assert.equal(reason, "progress");
      assert.ok(seconds >= 120 && seconds <= 185, `after ${seconds} s`);
      assert.ok(Number(record?.["bytesIn"]) <= 185);
    });

    test(`a person who types letter by letter, and thinks in between: ${way}`, async () => {
      await using service = await open(plugin as typeof talking, { limits: { progress } });
      const peer = service.connect();
      for (let line = 0; line < 12; line++) {
        await service.clock.advance("5m");
        for (const letter of "how are you?") {
          peer.send(letter);
          await service.clock.advance("4s");
        }
        peer.send("\r\n");
        await peer.expect("how are you?!\n");
      }
      assert.equal(peer.over, false);
    });

    test(`a large frame at ten bytes a second: ${way}`, async () => {
      await using service = await open(plugin as typeof talking, { limits: { progress } });
      const peer = service.connect();
      for (let seconds = 0; seconds < 1200; seconds += 10) {
        peer.send("x".repeat(100));
        await service.clock.advance("10s");
      }
      assert.equal(peer.over, false);
    });
  }

  test("half a line, and then silence", async () => {
    await using service = await open(talking, { limits: { progress } });
    const peer = service.connect();
    peer.send("half a");
    await service.clock.advance("119s");
    assert.equal(peer.over, false);
    await service.clock.advance("70s");
    assert.equal((await peer.closed).reason, "progress");
  });

  test("a peer that never reads, and one that reads, of a server that never stops", async () => {
    await using service = await open(chargen, { limits: { progress } });
    const reader = service.connect();
    const sleeper = service.connect();
    sleeper.stopReading();
    await service.clock.advance("100s");
    assert.equal(sleeper.over, false);
    await service.clock.advance("85s");
    assert.deepEqual((await sleeper.closed).reason, "progress");
    assert.equal((await sleeper.closed).how, "reset", "the kernel keeps nothing of it");
    assert.equal(reader.over, false);
    reader.reset();
  });

  test("the clock goes on beside a server that never stops, on a machine however slow", async () => {
    let drained = 0;
    const endless = definePlugin({
      name: "endless",
      transports: ["stream"],
      start: () => ({
        setup: (session) => void session.write(new Uint8Array(100_000)),
        data() {},
        drain: (session) => void (++drained < 500 && session.write(new Uint8Array(100_000))),
      }),
    });
    await using service = await open(endless, { limits: { progress } });
    const peers = Array.from({ length: 3 }, () => service.connect());
    let over = false;
    // Each round takes longer than the shortest timer.
    const slow = (): void => {
      const end = performance.now() + 2;
      while (performance.now() < end);
      if (!over) setImmediate(slow);
    };
    slow();
    await service.clock.advance("10s");
    over = true;
    assert.ok(drained < 100, `written ${drained} times`);
    for (const peer of peers) peer.reset();
  });

  test("a peer that reads a little in each window is slow, and stays", async () => {
    await using service = await open(chargen, { limits: { progress } });
    const peer = service.connect();
    for (let window = 0; window < 6; window++) {
      peer.stopReading();
      await service.clock.advance("90s");
      peer.startReading();
      await service.settle();
    }
    assert.equal(peer.over, false);
    peer.reset();
  });

  test("who has nothing under way is silent for as long as it likes", async () => {
    const limits = { progress, idle: "none", firstByte: "none" };
    for (const plugin of [talking, telling, echo]) {
      await using service = await open(plugin as typeof talking, { limits });
      const peer = service.connect();
      await service.clock.advance("10h");
      assert.equal(peer.over, false);
    }
  });

  test("a handler that is at work elsewhere is not its peer's fault", async () => {
    let go: () => void = () => {};
    const busy = definePlugin({
      name: "busy",
      transports: ["stream"],
      start: () => ({
        async handle(session) {
          await session.read(lines());
          await new Promise<void>((resolve) => go = resolve);
          await session.read(lines());
        },
      }),
    });
    await using service = await open(busy, { limits: { progress } });
    const peer = service.connect();
    peer.send("one\nhalf");
    await service.clock.advance("30m");
    assert.equal(peer.over, false);
    go();
    await service.clock.advance("4m");
    assert.equal((await peer.closed).reason, "progress");
  });
});

describe("an end that has something to send", () => {
  for (const limit of [progress, "none"]) {
    test(`what a handler leaves behind arrives, however slowly, with progress ${limit}`, async () => {
      const leaving = definePlugin({
        name: "leaving",
        transports: ["stream"],
        start: () => ({
          async handle(session) {
            session.write(new Uint8Array(100_000));
            await Promise.resolve();
          },
        }),
      });
      await using service = await open(leaving, { limits: { progress: limit } });
      const reader = service.connect();
      reader.stopReading();
      await service.clock.advance(limit === "none" ? "4s" : "90s");
      reader.startReading();
      await reader.expect(100_000);
      await reader.expectEnd();
      assert.equal((await reader.closed).reason, "done");
      const sleeper = service.connect();
      sleeper.stopReading();
      await service.clock.advance("5m");
      await sleeper.closed;
      assert.equal(service.status.live, 0);
    });
  }

  test("whoever goes on sending after the end is not waited for", async () => {
    const short = definePlugin({
      name: "short",
      transports: ["stream"],
      start: () => ({ handle: (session) => void session.write("bye\n") }),
    });
    await using service = await open(short, {});
    const peer = service.connect({ allowHalfOpen: true });
    await peer.expect("bye\n");
    for (let seconds = 0; seconds < 10 && service.status.live > 0; seconds++) {
      peer.send("x");
      await service.clock.advance("1s");
    }
    assert.equal(service.status.live, 0);
  });
});

describe("firstByte and idle, when nobody has said anything", () => {
  test("whoever says nothing to a server that says nothing has five minutes", async () => {
    await using service = await open(talking, {});
    const peer = service.connect();
    await service.clock.advance("299s");
    assert.equal(peer.over, false);
    await service.clock.advance("3s");
    assert.equal((await peer.closed).reason, "firstByte");
  });

  test("where the server speaks first it has an hour, and so has everybody after each byte", async () => {
    for (const plugin of [telling, talking]) {
      await using service = await open(plugin as typeof talking, {});
      const peer = service.connect();
      if (plugin === talking) peer.send("x\n");
      await service.clock.advance("59m");
      assert.equal(peer.over, false);
      if (plugin === talking) {
        peer.send("y\n");
        await service.clock.advance("59m");
        assert.equal(peer.over, false);
      }
      await service.clock.advance("2m");
      assert.equal((await peer.closed).reason, "idle");
    }
  });

  test("firstByte that was said is about the peer, whatever the server has said", async () => {
    await using service = await open(telling, { limits: { firstByte: "10s" } });
    const peer = service.connect();
    await service.clock.advance("12s");
    assert.equal((await peer.closed).reason, "firstByte");
  });
});

describe("handler", () => {
  for (const hook of ["verify", "setup", "data", "handle", "finish"] as const) {
    test(`a ${hook} that never comes back`, async () => {
      const ends: string[] = [];
      const never = (session?: { signal: AbortSignal }): Promise<never> => {
        session?.signal.addEventListener("abort", () => ends.push(session.signal.reason.message));
        return new Promise(() => {});
      };
      const stuck = definePlugin({
        name: "stuck",
        transports: ["stream"],
        start: () => ({
          ...(hook !== "handle" && { data: () => undefined }),
          [hook]: hook === "verify" ? () => never() : never,
          ...(hook !== "finish" && { finish: () => void ends.push("finish") }),
        }),
      });
      await using service = await open(stuck, { limits: { handler: "10s" } });
      const peer = service.connect();
      peer.send("x");
      if (hook === "finish") peer.end();
      await service.clock.advance("9s");
      assert.equal(service.status.live, 1);
      await service.clock.advance("6s");
      assert.equal(service.status.live, 0, "place and turn are given back");
      const { reason, record } = await peer.closed;
      if (hook === "verify") assert.equal(record?.["limit"], "handler");
      else if (hook !== "finish") assert.equal(reason, "handler");
      if (hook === "data" || hook === "handle") assert.deepEqual(ends, ["handler", "finish"]);
    });
  }

  test("one that comes back in time, again and again, and one that heeds its signal", async () => {
    const slow = definePlugin({
      name: "slow",
      transports: ["stream"],
      start: () => ({
        async data(session, chunk) {
          const late = chunk[0] === 120;
          await new Promise<void>((resolve) => {
            if (late) session.signal.addEventListener("abort", () => resolve());
            else resolve();
          });
          if (!late) session.write("ok\n");
        },
      }),
    });
    await using service = await open(slow, { limits: { handler: "10s" } });
    const peer = service.connect();
    for (let i = 0; i < 5; i++) {
      peer.send("a");
      await peer.expect("ok\n");
      await service.clock.advance("8s");
    }
    peer.send("x");
    await service.clock.advance("12s");
    assert.equal((await peer.closed).reason, "handler");
    assert.equal(service.status.live, 0);
  });

  test("datagrams: of one, and the turn goes to the next", async () => {
    const stuck = definePlugin({
      name: "stuck",
      transports: ["datagram"],
      start: () => ({
        data: (session, chunk) =>
          chunk[0] === 120 ? new Promise<void>(() => {}) : void session.write(chunk),
      }),
    });
    for (const limits of [{ handler: "10s" }, { handler: "10s", lifetime: "5s" }]) {
      await using service = await open(stuck, { max: 1, limits });
      const peer = service.connect({ transport: "udp" });
      peer.send("x");
      await service.settle();
      peer.send("a");
      await peer.expectNothing();
      await service.clock.advance("13s");
      await peer.expect("a");
      const closes = peer.records.filter(({ event }) => event === "close");
      assert.equal(closes[0]?.["reason"], "lifetime" in limits ? "lifetime" : "handler");
      assert.equal(closes.length, 2);
    }
  });
});
