import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Session } from "../../runtime/core/plugin.ts";
import { startInMemory } from "../support/in-memory.ts";
import { turns, until } from "../support/until.ts";

const KIB = 1024;

/** What a plugin in JavaScript may give in the place of bytes. */
const WRONG: readonly unknown[] = [
  5,
  NaN,
  {},
  [1, 2],
  null,
  undefined,
  true,
  new Date(0),
  () => {},
  1n,
];

describe("write", () => {
  for (const kind of ["stream", "datagram"] as const) {
    test(`what is neither bytes nor text throws, on a ${kind}, and counts nothing`, async (t) => {
      const server = await startInMemory(t, {
        async data(session) {
          for (const wrong of WRONG) {
            assert.throws(() => session.write(wrong as string), /bytes .* or text are due/);
            await assert.rejects(Promise.try(() => session.send(wrong as string)), TypeError);
          }
          session.write("still here");
        },
      });
      if (kind === "datagram") {
        server.send("x");
        await until("the answer", () => server.answers()[0] === "still here");
      } else {
        const peer = server.connect();
        peer.write("x");
        await until("the answer", () => peer.text() === "still here");
        peer.end();
      }
      await server.record("close");
      assert.deepEqual(server.all("error"), []);
      const { bytesOut } = server.running.status()[0]!;
      assert.equal(bytesOut, "still here".length);
    });
  }

  test("several writes of one hook arrive as one", async (t) => {
    const server = await startInMemory(t, {
      data(session, chunk) {
        session.write("<");
        session.write(chunk);
        session.write(new Uint8Array(0));
        session.write(">");
      },
    });
    const peer = server.connect();
    peer.write("a");
    await until("the answer", () => peer.text() === "<a>");
    assert.equal(peer.received.length, 1);
  });

  test("a hook that writes to others writes once to each", async (t) => {
    const all: Session[] = [];
    const server = await startInMemory(t, {
      setup: (session) => void all.push(session as never) as never,
      data() {
        for (let i = 0; i < 3; i++) for (const each of all) each.write(`${i}`);
      },
    });
    const peers = [server.connect(), server.connect(), server.connect()];
    peers[0]!.write("go");
    await until("all answers", () => peers.every((peer) => peer.text() === "012"));
    assert.deepEqual(peers.map((peer) => peer.received.length), [1, 1, 1]);
  });

  test("what is written outside of hooks leaves once a turn, and end sends it first", async (t) => {
    const sessions: Session[] = [];
    const server = await startInMemory(t, {
      data: (session) => void sessions.push(session as Session),
    });
    const peer = server.connect();
    peer.write("x");
    await until("the session", () => sessions.length === 1);
    for (let i = 0; i < 5; i++) sessions[0]!.write(`${i}`);
    assert.equal(peer.text(), "");
    await until("the turn's end", () => peer.text() === "01234");
    assert.equal(peer.received.length, 1);
    sessions[0]!.write("last");
    sessions[0]!.end();
    await until("our end", () => peer.text() === "01234last");
  });

  test("a pull handler's writes between two awaits of what is there leave together", async (t) => {
    const server = await startInMemory(t, {
      async handle(session) {
        for await (const line of session.lines()) await session.send(`${line};`);
      },
    });
    const peer = server.connect();
    peer.write("a\nb\nc\nd\n");
    await until("the answers", () => peer.text() === "a;b;c;d;");
    assert.equal(peer.received.length, 1);
  });

  test("write is false above the share of a turn, and drain follows", async (t) => {
    let drains = 0;
    const answers: boolean[] = [];
    const server = await startInMemory(t, {
      data(session) {
        answers.push(session.write(new Uint8Array(10 * KIB)));
        answers.push(session.write(new Uint8Array(300 * KIB)));
      },
      drain: () => void drains++,
    });
    const peer = server.connect();
    peer.write("x");
    await until("drain", () => drains === 1);
    assert.deepEqual(answers, [true, false]);
    await turns();
    assert.equal(drains, 1);
    assert.equal(peer.received.reduce((sum, { length }) => sum + length, 0), 310 * KIB);
  });

  test("send waits until a slow peer has read, and write order is kept", async (t) => {
    let sent = 0;
    const server = await startInMemory(t, {
      async handle(session) {
        for (let i = 0; i < 40; i++) {
          await session.send(new Uint8Array(10 * KIB).fill(i));
          sent++;
        }
      },
    });
    const peer = server.connect();
    peer.read(false);
    await turns();
    assert.ok(sent < 40, `${sent} of 40 have been sent`);
    peer.read(true);
    await until("the end", () => sent === 40);
    await until(
      "all bytes",
      () => peer.received.reduce((n, { length }) => n + length, 0) === 409600,
    );
    const order = peer.received.flatMap((chunk) => [...new Set(chunk)]);
    assert.deepEqual([...new Set(order)], Array.from({ length: 40 }, (_, i) => i));
    assert.deepEqual(order, order.toSorted((a, b) => a - b));
  });

  test("send rejects with SESSION_CLOSED when the session ends under it", async (t) => {
    const caught: unknown[] = [];
    const server = await startInMemory(t, {
      async handle(session) {
        await session.send(new Uint8Array(100 * KIB)).catch((error) => caught.push(error));
      },
    });
    const peer = server.connect();
    peer.read(false);
    await turns();
    peer.reset();
    await server.record("close");
    assert.equal((caught[0] as { code: string }).code, "SESSION_CLOSED");
  });

  test("a backlog above limits.writeBuffer ends this session with a record of side peer", async (t) => {
    let finishes = 0;
    const server = await startInMemory(t, {
      data(session, chunk) {
        const blocks = chunk.length === 1 ? 8 : 1;
        for (let i = 0; i < blocks; i++) session.write(new Uint8Array(100 * KIB));
      },
      finish: () => void finishes++,
    }, { limits: { writeBuffer: 300 * KIB } });
    const deaf = server.connect();
    deaf.read(false);
    const other = server.connect();
    deaf.write("x");
    const error = await server.record("error");
    assert.equal(error.code, "WRITE_LIMIT");
    assert.equal(error.level, "debug");
    const close = await server.record("close");
    assert.equal(close.reason, "writeBuffer");
    assert.equal(close.session, error.session);
    assert.equal(finishes, 1);
    other.write("little");
    await until("the other's bytes", () => other.received.length > 0);
  });

  test("what was sent and waited for, and was taken whole, gives no room to what piles up later", async (t) => {
    const server = await startInMemory(t, {
      async data(session, chunk) {
        if (chunk.length === 1) await session.send(new Uint8Array(12 * KIB));
        else session.write(new Uint8Array(105 * KIB));
      },
    }, { limits: { writeBuffer: 100 * KIB } });
    const peer = server.connect();
    peer.write("x");
    await until("it", () => peer.received.length > 0);
    peer.read(false);
    peer.write("xx");
    assert.equal((await server.record("close")).reason, "writeBuffer");
  });
});

describe("pull form", () => {
  test("iteration yields the chunks and ends with the peer's end", async (t) => {
    const seen: string[] = [];
    const server = await startInMemory(t, {
      async handle(session) {
        for await (const chunk of session) seen.push(new TextDecoder().decode(chunk));
        seen.push("end");
      },
    });
    const peer = server.connect();
    for (const text of ["one", "two"]) peer.write(text);
    peer.end();
    await server.record("close");
    assert.deepEqual(seen, ["one", "two", "end"]);
  });

  test("who does not read slows its peer down: the source is paused above 64 KiB", async (t) => {
    const sessions: Session[] = [];
    let goOn: () => void = () => {};
    let read = 0;
    const server = await startInMemory(t, {
      async handle(session) {
        sessions.push(session as Session);
        await new Promise<void>((resolve) => goOn = resolve);
        for await (const chunk of session) read += chunk.length;
      },
    });
    const peer = server.connect();
    for (let i = 0; i < 100; i++) peer.write(new Uint8Array(10 * KIB));
    peer.end();
    await until("the session", () => sessions.length === 1);
    await turns();
    assert.ok(sessions[0]!.bytesIn <= 80 * KIB, `${sessions[0]!.bytesIn} bytes were taken`);
    goOn();
    await server.record("close");
    assert.equal(read, 1000 * KIB);
  });

  test("lines, readUntil and readExactly can be mixed", async (t) => {
    const seen: unknown[] = [];
    const decode = (bytes: Uint8Array | undefined) => bytes && new TextDecoder().decode(bytes);
    const server = await startInMemory(t, {
      async handle(session) {
        for await (const line of session.lines()) {
          seen.push(line);
          if (line === "") break;
        }
        seen.push(decode(await session.readExactly(4)));
        seen.push(decode(await session.readUntil("--")));
        for await (const chunk of session) seen.push(decode(chunk));
        seen.push(await session.readUntil("--"));
      },
    });
    const peer = server.connect();
    peer.write("a: b\r\nc\n\r\nBODYmore--rest");
    peer.end();
    await server.record("close");
    assert.deepEqual(seen, ["a: b", "c", "", "BODY", "more", "rest", undefined]);
  });

  test("a line above its maximum is an error of side peer and ends the session", async (t) => {
    const server = await startInMemory(t, {
      async handle(session) {
        for await (const line of session.lines(10)) session.write(line);
      },
    });
    const peer = server.connect();
    peer.write("0123456789\nx");
    await until("the first line", () => peer.text() === "0123456789");
    peer.write("0123456789x");
    const error = await server.record("error");
    assert.equal(error.code, "FRAME_TOO_LONG");
    assert.equal(error.side, "peer");
    peer.end();
    await server.record("close");
  });

  test("two reads at once are the plugin's error", async (t) => {
    const server = await startInMemory(t, {
      async handle(session) {
        await Promise.all([session.readExactly(1), session.readExactly(1)]);
      },
    });
    server.connect();
    const error = await server.record("error");
    assert.equal(error.side, "plugin");
    assert.match(String(error.message), /another read/);
  });

  test("pulling from a plugin in push form says what to use", async (t) => {
    const server = await startInMemory(t, {
      data: (session) => void session.lines(),
    });
    server.connect().write("x");
    assert.match(String((await server.record("error")).message), /use handle instead/);
  });

  test("what the peer sends after handle has returned is read and dropped", async (t) => {
    const server = await startInMemory(t, { handle: (session) => void session.write("bye") });
    const peer = server.connect();
    await until("it", () => peer.text() === "bye");
    for (let i = 0; i < 20; i++) peer.write(new Uint8Array(10 * KIB));
    peer.end();
    const close = await server.record("close");
    assert.equal(close.reason, "done");
    assert.equal(peer.wasReset, false);
  });
});
