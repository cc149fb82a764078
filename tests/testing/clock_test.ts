import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { definePlugin, lines } from "portico";
import { open } from "portico/testing";
import echo from "../../plugins/echo.ts";

describe("the clock of a test", () => {
  test("a deadline strikes when it is due, and not before", async () => {
    await using service = await open(echo, { limits: { idle: "30s" } });
    const peer = service.connect();
    peer.send("x");
    await peer.expect("x");
    await service.clock.advance("29s");
    assert.equal(peer.over, false);
    await service.clock.advance("5s");
    const { reason, record } = await peer.closed;
    assert.equal(reason, "idle");
    assert.ok(Number(record?.["durationMs"]) >= 30_000);
    assert.equal(service.clock.now, 34_000);
  });

  for (const strategy of ["async", "threads", "spawn"] as const) {
    test(`lifetime, under ${strategy}`, async () => {
      await using service = await open(echo, {
        limits: { lifetime: "1h", firstByte: "none", idle: "none" },
        strategy,
      });
      const peer = service.connect();
      await service.clock.advance("61m");
      assert.equal((await peer.closed).reason, "lifetime");
    });
  }

  test("a rate lets more in when its time has come", async () => {
    await using service = await open(echo, { limits: { rate: "1/m" } });
    service.connect();
    const refused = service.connect();
    assert.equal((await refused.closed).record?.["limit"], "rate");
    await service.clock.advance("1m");
    const late = service.connect();
    late.send("x");
    await late.expect("x");
  });

  test("datagramRate", async () => {
    await using service = await open(echo, { limits: { datagramRate: "2/s" } });
    const peer = service.connect({ transport: "udp" });
    for (const text of ["a", "b", "c"]) peer.send(text);
    await peer.expect("a");
    await peer.expect("b");
    await peer.expectNothing();
    assert.equal(peer.records.at(-1)?.["limit"], "datagramRate");
    await service.clock.advance("1s");
    peer.send("d");
    await peer.expect("d");
  });

  test("who waits for a turn is refused when hold is over", async () => {
    await using service = await open(echo, { max: 1, limits: { hold: "10s" } });
    service.connect();
    const waiting = service.connect();
    await service.clock.advance("9s");
    assert.deepEqual(waiting.records, []);
    await service.clock.advance("2s");
    assert.equal((await waiting.closed).record?.["limit"], "hold");
  });

  test("the timeout of a read, and a session's own deadline", async () => {
    const asking = definePlugin({
      name: "asking",
      transports: ["stream"],
      start: () => ({
        async handle(session) {
          session.deadline("2m");
          try {
            await session.read(lines(), { timeout: "5s" });
          } catch {
            session.write("late\n");
          }
          await session.read(lines());
        },
      }),
    });
    await using service = await open(asking);
    const peer = service.connect();
    await peer.expectNothing();
    await service.clock.advance("5s");
    await peer.expect("late\n");
    await service.clock.advance("2m");
    assert.equal((await peer.closed).reason, "deadline");
  });

  test("a stop gives sessions their time, by this clock", async () => {
    const polite = definePlugin({
      name: "polite",
      transports: ["stream"],
      start: () => ({ data() {}, retire: (session) => void session.write("421 bye\n") }),
    });
    await using service = await open(polite);
    const peer = service.connect();
    await service.settle();
    const stopped = service.stop("30s");
    await peer.expect("421 bye\n");
    assert.equal(peer.over, false);
    await service.clock.advance("30s");
    await stopped;
    assert.equal((await peer.closed).reason, "drain");
  });

  test("a plugin's own timers are the test's to replace: the kit does not use them", async () => {
    const late = definePlugin({
      name: "late",
      transports: ["stream"],
      start: () => ({
        data: (session) => void setTimeout(() => session.write("late\n"), 60_000),
      }),
    });
    const { setTimeout: real } = globalThis;
    const waiting: (() => void)[] = [];
    globalThis.setTimeout = ((callback: () => void) => waiting.push(callback)) as never;
    try {
      await using service = await open(late);
      const peer = service.connect();
      peer.send("x");
      await peer.expectNothing();
      await service.clock.advance("2m");
      await peer.expectNothing();
      assert.equal(waiting.length, 1);
      waiting[0]!();
      await peer.expect("late\n");
      peer.end();
      await peer.closed;
    } finally {
      globalThis.setTimeout = real;
    }
  });

  test("a time that is none is refused", async () => {
    await using service = await open(echo);
    await assert.rejects(service.clock.advance("soon"), /soon/);
    await assert.rejects(service.clock.advance(-1), RangeError);
  });
});
