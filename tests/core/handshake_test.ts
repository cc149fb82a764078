/** TLS between a session's turn and its plugin, on connections in memory: what is told when. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Hooks, Session } from "../../runtime/core/plugin.ts";
import { ECHO, kill, start, told } from "../support/tls-in-memory.ts";

describe("an endpoint with TLS", () => {
  test("nothing of a session is told before its handshake is done, but that it has come", async (t) => {
    const asked: string[] = [];
    const { server, rest } = await start(t, {
      ...ECHO,
      verify: ({ remote }) => asked.push(String(remote)) > 0,
      setup: (session) => void asked.push(session.tls!.version),
    });
    const peer = server.connect();
    peer.write("early");
    await rest();
    assert.deepEqual([asked, told(server), server.live()], [[], [], 1]);
    assert.equal(peer.asked?.side, "server");
    peer.secure({ alpn: "x" });
    await rest();
    assert.match(asked[0]!, /^t/);
    assert.equal(asked[1], "TLSv1.3");
    assert.deepEqual([told(server), peer.text()], [["open"], "early"]);
    peer.end();
    await rest();
    assert.deepEqual(told(server), ["open", "close peer"]);
  });

  test("whoever is refused, is before the handshake", async (t) => {
    const { server, rest } = await start(t, ECHO, { limits: { sessions: 1 } });
    server.connect();
    const late = server.connect();
    await rest();
    assert.deepEqual([told(server), late.asked, late.over], [["refuse sessions"], undefined, true]);
  });

  test("whose turn has not come begins no handshake", async (t) => {
    const { server, rest } = await start(t, ECHO, { concurrency: { max: 1 } });
    const [first, second] = [server.connect(), server.connect()];
    first.secure();
    await rest();
    assert.equal(second.asked, undefined);
    first.end();
    await rest();
    assert.equal((second.asked as { side?: string } | undefined)?.side, "server");
    second.secure();
    second.write("b");
    await rest();
    assert.equal(second.text(), "b");
  });

  test("a handshake that fails is a refusal, with what it has failed of", async (t) => {
    const { server, rest } = await start(t, ECHO);
    const peer = server.connect();
    await rest();
    peer.failHandshake("the client does not speak TLS");
    await rest();
    const [record] = server.records.filter(({ event }) => event === "refuse");
    assert.deepEqual(
      [record!["rule"], record!["message"], record!.level],
      ["tls", "the TLS handshake failed: the client does not speak TLS", "info"],
    );
    assert.deepEqual([told(server), server.live(), server.status().refused], [
      ["refuse tls"],
      0,
      1,
    ]);
  });

  test("limits.handshake strikes", async (t) => {
    const { server, clock, rest } = await start(t, ECHO, { limits: { handshake: 1000 } });
    const peer = server.connect();
    await rest();
    clock.move(900);
    await rest();
    assert.deepEqual(told(server), []);
    clock.move(300);
    await rest();
    assert.deepEqual([told(server), peer.over, server.live()], [["refuse handshake"], true, 0]);
  });

  test("who was served before limits.handshake is not struck by it", async (t) => {
    const { server, clock, rest } = await start(t, ECHO, { limits: { handshake: 1000 } });
    const peer = server.connect();
    peer.secure();
    await rest();
    clock.move(60_000);
    await rest();
    assert.deepEqual(told(server), ["open"]);
  });

  test("a drain refuses who is in the middle of it", async (t) => {
    const { server, clock, rest } = await start(t, ECHO);
    server.connect();
    await rest();
    await kill(server, clock);
    assert.deepEqual(told(server), ["refuse drain"]);
  });

  test("nobody is spoken to in clear", async (t) => {
    const { server, rest } = await start(t, ECHO);
    const peer = server.connect();
    await rest();
    peer.failHandshake("no");
    await rest();
    assert.equal(peer.text(), "");
  });
});

describe("TLS where nobody speaks it", () => {
  const HELLO = new Uint8Array([0x16, 3, 1, 0, 5, 1, 0, 0, 1, 0]);

  for (
    const [form, hooks] of [["push", ECHO], ["pull", {
      handle: (s: Session) => s.readExactly(1) as never,
    }]] as const
  ) {
    test(`${form}: a record says so, once for a session and at most once a second`, async (t) => {
      const { server, clock, rest } = await start(t, hooks as Hooks, {
        listen: ["tcp://127.0.0.1:7"],
      });
      const errors = () =>
        server.records.filter(({ event }) => event === "error").map((
          record,
        ) => [record.level, record["message"], record["suppressed"]]);
      const say = async (): Promise<void> => {
        const peer = server.connect();
        peer.write(HELLO);
        peer.write(HELLO);
        await rest();
      };
      await say();
      const message = "the client begins TLS, and tcp://127.0.0.1:7 speaks in clear";
      assert.deepEqual(errors(), [["warn", message, undefined]]);
      await say();
      await say();
      clock.move(2000);
      await say();
      assert.deepEqual(errors().slice(1), [["debug", message, undefined], [
        "debug",
        message,
        undefined,
      ], ["warn", message, 2]]);
      const other = server.connect();
      other.write("\x16");
      await rest();
      assert.equal(errors().length, 4);
    });
  }

  test("TLS in TLS is somebody's own affair", async (t) => {
    const { server, rest } = await start(t, ECHO);
    const peer = server.connect();
    peer.secure();
    peer.write(HELLO);
    await rest();
    assert.deepEqual(told(server), ["open"]);
  });
});

describe("limits.handshakes", () => {
  test("so many are under way, the others wait unread, in their order", async (t) => {
    const { server, rest } = await start(t, ECHO, { limits: { handshakes: 2 } });
    const peers = Array.from({ length: 4 }, () => server.connect());
    const asked = () => peers.map((peer) => peer.asked !== undefined);
    await rest();
    assert.deepEqual(asked(), [true, true, false, false]);
    peers[1]!.secure();
    await rest();
    assert.deepEqual(asked(), [true, false, true, false]);
    peers[0]!.failHandshake("no");
    await rest();
    assert.deepEqual(asked(), [true, false, true, true]);
  });

  test("the deadline of those that wait counts from their arrival", async (t) => {
    const { server, clock, rest } = await start(t, ECHO, {
      limits: { handshakes: 1, handshake: 400 },
    });
    server.connect();
    await rest();
    clock.move(300);
    const second = server.connect();
    await rest();
    clock.move(200);
    await rest();
    assert.deepEqual([told(server), second.asked?.side], [["refuse handshake"], "server"]);
    clock.move(300);
    await rest();
    assert.deepEqual(told(server), ["refuse handshake", "refuse handshake"]);
  });

  test("of 1,000 that are never finished one gives way, and a good client is served at once", async (t) => {
    const { server, clock, rest } = await start(t, ECHO, {
      limits: { handshakes: 1000, handshake: 10_000 },
    });
    const silent = Array.from({ length: 1000 }, () => server.connect());
    await rest();
    assert.ok(silent.every(({ asked }) => asked !== undefined));
    clock.move(600);
    const good = server.connect();
    good.write("good");
    await rest();
    good.secure();
    await rest();
    assert.equal(good.text(), "good");
    assert.deepEqual(told(server), ["refuse handshakes", "open"]);
    assert.equal(silent[0]!.over, true);
    clock.move(12_000);
    await rest();
    assert.equal(server.live(), 1);
  });

  test("a flood right now holds a good client up for half a second, not until it is refused", async (t) => {
    const { server, clock, rest } = await start(t, ECHO, {
      limits: { handshakes: 100, handshake: 10_000 },
    });
    for (let i = 0; i < 150; i++) server.connect();
    const good = server.connect();
    await rest();
    clock.move(510);
    await rest();
    assert.equal(good.asked?.side, "server");
  });

  test("a rush of good ones, each of which takes its time, is served in order: none gives way", async (t) => {
    const { server, clock, rest } = await start(t, ECHO, {
      limits: { handshakes: 4, handshake: 60_000 },
    });
    const peers = Array.from({ length: 40 }, () => server.connect());
    await rest();
    for (let round = 0; round < 10; round++) {
      // Slower and slower, as a machine does that has more and more to do.
      clock.move(Math.min(450, 50 + 60 * round));
      await rest();
      for (const peer of peers.slice(round * 4, round * 4 + 4)) peer.secure();
      await rest();
    }
    assert.deepEqual(told(server), Array.from({ length: 40 }, () => "open"));
  });
});
