import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { Address } from "../../runtime/core/endpoint.ts";
import type { Session } from "../../runtime/core/plugin.ts";
import { PEER, startInMemory } from "../support/in-memory.ts";
import { turns, until } from "../support/until.ts";

const OTHER = new Address("udp", "198.51.100.9", 99, "");

describe("packets", () => {
  for (const later of [false, true]) {
    test(
      `a datagram goes through verify, setup, data, finish: hooks come back ${
        later ? "later" : "at once"
      }`,
      async (t) => {
        const pages: string[] = [];
        const note = <Value>(page: string, value: Value) => {
          pages.push(page);
          return later ? turns(1).then(() => value) : value;
        };
        const server = await startInMemory(t, {
          verify: () => note("verify", true),
          setup: () => note("setup", undefined) as never,
          data(session, chunk) {
            const text = new TextDecoder().decode(chunk);
            session.write(`${text}!`);
            return note(`data ${text}`, undefined);
          },
          finish: () => note("finish", undefined),
        });
        server.send("one");
        await server.record("close");
        assert.deepEqual(pages, ["verify", "setup", "data one", "finish"]);
        assert.deepEqual(server.answers(), ["one!"]);
        assert.deepEqual(server.sessionEvents, ["open", "close"]);
      },
    );
  }

  test("records of datagrams are debug, and one session number each", async (t) => {
    const server = await startInMemory(t, {
      data(session, chunk) {
        session.log.warn("seen");
        session.write(chunk);
      },
    });
    server.send("12345");
    server.send("1", OTHER);
    await server.record("close", 2);
    const [first, second] = server.all("open");
    assert.equal(first!.level, "debug");
    assert.equal(first!.remote, "udp://192.0.2.7:5353");
    assert.equal(first!.local, "udp://127.0.0.1:7");
    assert.notEqual(first!.session, second!.session);
    const mine = server.records.filter(({ session }) => session === first!.session);
    assert.deepEqual(mine.map(({ event, level }) => `${event} ${level}`), [
      "open debug",
      "log warn",
      "close debug",
    ]);
    assert.equal(mine[2]!.bytesIn, 5);
    assert.equal(mine[2]!.bytesOut, 5);
    assert.deepEqual(server.answers(OTHER), ["1"]);
  });

  test("each write is one datagram, of bytes that may be reused", async (t) => {
    const server = await startInMemory(t, {
      data(session) {
        const bytes = new TextEncoder().encode("one");
        session.write(bytes);
        bytes.fill(120);
        session.write("two");
        session.write("");
        assert.equal(session.end(), undefined);
        session.pause();
        session.resume();
      },
    });
    server.send("x");
    await server.record("close");
    assert.deepEqual(server.answers(), ["one", "two", ""]);
  });

  test("an async data hook may look at its chunk after an await", async (t) => {
    const server = await startInMemory(t, {
      async data(session, chunk) {
        await turns();
        session.write(chunk);
      },
    });
    server.send("kept");
    await server.record("close");
    assert.deepEqual(server.answers(), ["kept"]);
  });

  test("pull form: the datagram is one chunk, or its lines", async (t) => {
    const seen: unknown[] = [];
    const server = await startInMemory(t, {
      async handle(session) {
        for await (const line of session.lines()) seen.push(line);
        session.write("thanks");
      },
    });
    server.send("a\nb\r\nc");
    await server.record("close");
    assert.deepEqual(seen, ["a", "b", "c"]);
    assert.deepEqual(server.answers(), ["thanks"]);
    server.send("");
    await server.record("close", 2);
    assert.equal(server.all("error").length, 0);
  });

  test("verify is asked for each datagram, and refuses at debug level", async (t) => {
    const server = await startInMemory(t, {
      verify: (peer) => peer.remote.host !== OTHER.host,
      data: (session, chunk) => void session.write(chunk),
    });
    server.send("no", OTHER);
    server.send("yes");
    await server.record("close");
    const refuse = await server.record("refuse");
    assert.equal(refuse.rule, "verify");
    assert.equal(refuse.level, "debug");
    assert.deepEqual(server.answers(OTHER), []);
    assert.deepEqual(server.answers(), ["yes"]);
  });

  test("what cannot be sent is false, and a record says why", async (t) => {
    const answers: boolean[] = [];
    const server = await startInMemory(t, {
      data(session) {
        answers.push(session.write(new Uint8Array(70_000)), session.write("fits"));
      },
    });
    server.send("x");
    const error = await server.record("error");
    assert.equal(error.code, "EMSGSIZE");
    assert.deepEqual(answers, [false, true]);
    assert.deepEqual(server.answers(), ["fits"]);
  });

  test("when the session is over it takes nothing: write false, send rejects, signal aborted", async (t) => {
    const sessions: Session[] = [];
    const server = await startInMemory(t, {
      data(session) {
        sessions.push(session as Session);
        assert.equal(session.signal.aborted, false);
      },
    });
    server.send("x");
    await server.record("close");
    const [session] = sessions;
    assert.equal(session!.write("late"), false);
    await assert.rejects(session!.send("late"), { code: "SESSION_CLOSED" });
    assert.equal(session!.signal.aborted, true);
    assert.deepEqual(server.answers(), []);
  });

  test("abort ends it: the rest of the hook writes into the air", async (t) => {
    let finishes = 0;
    const server = await startInMemory(t, {
      data(session) {
        session.write("before");
        session.abort();
        assert.equal(session.write("after"), false);
      },
      finish: () => void finishes++,
    });
    server.send("x");
    const close = await server.record("close");
    assert.equal(close.reason, "aborted");
    assert.deepEqual(server.answers(), ["before"]);
    assert.equal(finishes, 1);
  });

  test("500 datagrams are answered in order, each from its own bytes", async (t) => {
    const server = await startInMemory(t, {
      data(session, chunk) {
        session.write(chunk);
      },
    }, { level: "info" });
    for (let i = 0; i < 500; i++) server.send(`${i}`);
    await until("all answers", () => server.answers().length === 500);
    assert.deepEqual(server.answers(PEER), Array.from({ length: 500 }, (_, i) => `${i}`));
    const status = server.running.status()[0]!;
    assert.equal(status.served, 500);
    assert.equal(status.live, 0);
    assert.equal(status.bytesIn, status.bytesOut);
    assert.equal(server.sessionEvents.length, 0, "nobody wants debug records");
  });
});
