/** `limits.bytesPerSecond` and `limits.bytes`, by a clock that the test moves. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { definePlugin, type Hooks, pipe, type Plugin } from "portico";
import { open } from "portico/testing";
import echo from "../../plugins/echo.ts";

const STRATEGIES = ["async", "threads", "spawn"] as const;

function plugin(hooks: Hooks<undefined>): Plugin<Record<string, never>, undefined> {
  return definePlugin({
    name: "test",
    transports: ["stream"],
    start: () => hooks,
  });
}

/** Counts what it is given, and says nothing. */
function sponge(): { readonly taken: () => number; readonly plugin: ReturnType<typeof plugin> } {
  let bytes = 0;
  return {
    taken: () => bytes,
    plugin: plugin({ data: (_session, chunk) => void (bytes += chunk.length) }),
  };
}

const numbered = (length: number): Uint8Array =>
  Uint8Array.from({ length }, (_, at) => at * 7 + (at >> 8));

describe("limits.bytesPerSecond", () => {
  for (const strategy of STRATEGIES) {
    test(`of what comes: exact over 10 s, under ${strategy}`, async () => {
      const { taken, plugin } = sponge();
      await using service = await open(plugin, {
        limits: { bytesPerSecond: { in: "10kB" } },
        strategy,
      });
      const peer = service.connect();
      peer.send(numbered(200_000));
      await service.clock.advance(0);
      assert.equal(taken(), 1000, "a tenth of a second's at once");
      for (let second = 1; second <= 10; second++) {
        await service.clock.advance("1s");
        const due = second * 10_000;
        assert.ok(Math.abs(taken() - due) <= 2000, `${taken()} bytes after ${second} s`);
      }
      assert.ok(Math.abs(taken() - 100_000) <= 2000, `${taken()} bytes after 10 s`);
      peer.reset();
    });

    test(`of what goes: exact over 10 s, whole and in order, under ${strategy}`, async () => {
      const sent = numbered(100_000);
      await using service = await open(
        plugin({ setup: (session) => void session.write(sent), data: () => {} }),
        { limits: { bytesPerSecond: { out: "10kB burst 5kB" } }, strategy },
      );
      const peer = service.connect();
      await service.clock.advance(0);
      assert.equal(peer.received.length, 5000, "the burst at once");
      await service.clock.advance("5s");
      assert.ok(Math.abs(peer.received.length - 55_000) <= 1100, `${peer.received.length} bytes`);
      await service.clock.advance("5s");
      assert.deepEqual(peer.received, sent);
    });
  }

  test("a late clock takes nothing away: the rate is kept over the whole", async () => {
    await using service = await open(
      plugin({ setup: (session) => void session.write(numbered(100_000)), data: () => {} }),
      { limits: { bytesPerSecond: "10kB" } },
    );
    const peer = service.connect();
    for (let i = 0; i < 7; i++) await service.clock.advance(997);
    assert.ok(Math.abs(peer.received.length - 70_790) <= 1100, `${peer.received.length} bytes`);
  });

  test("who was silent has its burst, and not more", async () => {
    const { taken, plugin } = sponge();
    await using service = await open(plugin, { limits: { bytesPerSecond: "10kB burst 20kB" } });
    const peer = service.connect();
    await service.clock.advance("1m");
    peer.send(numbered(50_000));
    await service.clock.advance(0);
    assert.equal(taken(), 20_000);
    peer.reset();
  });

  test("echo of more than any buffer, of both ways, and the end of the peer comes last", async () => {
    await using service = await open(echo, { limits: { bytesPerSecond: "100kB" } });
    const peer = service.connect({ allowHalfOpen: true });
    const sent = numbered(1_000_000);
    peer.send(sent);
    peer.end();
    await service.clock.advance("9s");
    assert.ok(!peer.over);
    await service.clock.advance("5s");
    assert.deepEqual(peer.received, sent);
    const { record } = await peer.closed;
    assert.equal(record?.["bytesIn"], sent.length);
    assert.equal(record?.["bytesOut"], sent.length);
    assert.equal(record?.["reason"], "peer");
  });

  test("pull form, with reads of any length", async () => {
    const lengths: number[] = [];
    await using service = await open(
      plugin({
        async handle(session) {
          for (;;) {
            const bytes = await session.readExactly(3000);
            lengths.push(bytes.length);
            await session.send(bytes);
          }
        },
      }),
      { limits: { bytesPerSecond: { in: "3kB", out: "100kB" } } },
    );
    const peer = service.connect();
    const sent = numbered(30_000);
    peer.send(sent);
    await service.clock.advance("11s");
    assert.deepEqual(peer.received, sent);
    assert.equal(lengths.length, 10);
    peer.reset();
  });

  test("what handle wrote before it returned is sent at its rate, however long that takes", async () => {
    const sent = numbered(200_000);
    await using service = await open(
      plugin({
        handle(session) {
          session.write(sent);
          return Promise.resolve();
        },
      }),
      { limits: { bytesPerSecond: { out: "10kB" } } },
    );
    const peer = service.connect();
    await service.clock.advance("19s");
    assert.ok(!peer.over);
    await service.clock.advance("2s");
    assert.deepEqual(peer.received, sent);
    assert.equal((await peer.closed).reason, "done");
  });

  test("a backlog above writeBuffer ends the session, as that of a slow reader does", async () => {
    await using service = await open(
      plugin({ setup: (session) => void session.write(numbered(200_000)), data: () => {} }),
      { limits: { bytesPerSecond: "1kB", writeBuffer: "100kB" } },
    );
    const peer = service.connect();
    assert.equal((await peer.closed).reason, "writeBuffer");
  });

  test("write says false until drain, and the plugin's pause holds", async () => {
    const answers: boolean[] = [];
    let drains = 0;
    await using service = await open(
      plugin({
        setup(session) {
          answers.push(session.write(numbered(100_000)));
        },
        data(session) {
          session.pause();
        },
        drain(session) {
          drains++;
          answers.push(session.write("x"));
        },
      }),
      { limits: { bytesPerSecond: "100kB" } },
    );
    const peer = service.connect();
    peer.send(numbered(50_000));
    await service.clock.advance("2s");
    assert.deepEqual(answers, [false, true]);
    assert.equal(drains, 1);
    assert.equal(peer.received.length, 100_001);
    peer.reset();
  });

  test("two sessions that are piped: each way at its rate, whole", async () => {
    let first: Parameters<NonNullable<Hooks<undefined>["handle"]>>[0] | undefined;
    await using service = await open(
      plugin({
        async handle(session) {
          if (first === undefined) {
            first = session;
            await session.closed;
          } else await pipe(first, session);
        },
      }),
      { limits: { bytesPerSecond: "10kB" } },
    );
    const peers = [service.connect(), service.connect()] as const;
    const sent = numbered(50_000);
    peers[0].send(sent);
    peers[0].end();
    await service.clock.advance("3s");
    assert.ok(Math.abs(peers[1].received.length - 30_000) <= 2000);
    await service.clock.advance("4s");
    assert.deepEqual(peers[1].received, sent);
    peers[1].end();
    await peers[0].closed;
  });
});

describe("limits.bytes", () => {
  for (const strategy of STRATEGIES) {
    test(`of what comes: the plugin has that many, and not one more, under ${strategy}`, async () => {
      const { taken, plugin } = sponge();
      await using service = await open(plugin, { limits: { bytes: { in: "1000B" } }, strategy });
      const exact = service.connect();
      exact.send(numbered(1000));
      await exact.expectNothing();
      assert.ok(!exact.over);
      exact.end();
      assert.equal((await exact.closed).record?.["bytesIn"], 1000);
      const more = service.connect();
      more.send(numbered(600));
      more.send(numbered(401));
      const { reason, record } = await more.closed;
      assert.equal(reason, "bytes");
      assert.equal(record?.["bytesIn"], 1000);
      assert.equal(taken(), 2000);
    });

    test(`of what goes: the peer has that many, and not one more, under ${strategy}`, async () => {
      await using service = await open(echo, { limits: { bytes: { out: "1000B" } }, strategy });
      const peer = service.connect();
      const sent = numbered(1500);
      peer.send(sent);
      const { reason, record } = await peer.closed;
      assert.equal(reason, "bytes");
      assert.equal(record?.["bytesOut"], 1000);
      assert.deepEqual(peer.received, sent.subarray(0, 1000));
    });
  }

  test("what was written before is sent, at its rate, to a peer that goes on sending", async () => {
    const answer = numbered(30_000);
    await using service = await open(
      plugin({ data: (session) => void session.write(answer) }),
      { limits: { bytes: { in: "10B" }, bytesPerSecond: { out: "10kB" } } },
    );
    const peer = service.connect({ allowHalfOpen: true });
    peer.send("0123456789");
    peer.send("more");
    await service.clock.advance("1s");
    peer.send("and more");
    await service.clock.advance("3s");
    assert.deepEqual(peer.received, answer);
    await service.clock.advance("6s");
    assert.equal((await peer.closed).reason, "bytes");
  });

  test("a peer that does not read is cut after 5 s", async () => {
    const large = numbered(1_000_000);
    // Whoever has a drain hook is read from though there is a backlog.
    const hooks: Hooks<undefined> = {
      setup: (session) => void session.write(large),
      data() {},
      drain() {},
    };
    await using service = await open(plugin(hooks), { limits: { bytes: { in: 1 } } });
    const peer = service.connect();
    peer.stopReading();
    peer.send("xy");
    await service.clock.advance("4s");
    assert.ok(service.status.live === 1);
    await service.clock.advance("20s");
    assert.equal((await peer.closed).reason, "bytes");
  });

  test("the pull form reads what may come, then hears of the end", async () => {
    let read = 0;
    let reason: unknown;
    await using service = await open(
      plugin({
        async handle(session) {
          session.signal.addEventListener(
            "abort",
            () => reason = (session.signal.reason as Error).message,
          );
          try {
            for await (const chunk of session) read += chunk.length;
          } finally {
            read += 0.5;
          }
        },
      }),
      { limits: { bytes: "100B" } },
    );
    const peer = service.connect();
    peer.send(numbered(300));
    assert.equal((await peer.closed).reason, "bytes");
    assert.equal(read, 100.5);
    assert.equal(reason, "bytes");
  });

  test("a datagram that is larger is refused by that name", async () => {
    await using service = await open(echo, { limits: { bytes: { in: 100 } } });
    const peer = service.connect({ transport: "udp" });
    peer.send(numbered(100));
    await peer.expect(100);
    peer.send(numbered(101));
    await peer.expectNothing();
    assert.equal(peer.records.at(-1)?.["limit"], "bytes");
  });
});
