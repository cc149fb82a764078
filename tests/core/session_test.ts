import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Session } from "../../runtime/core/plugin.ts";
import { startInMemory } from "../support/in-memory.ts";
import { until } from "../support/until.ts";

describe("session", () => {
  test("handle that returns ends the session: what was written is sent first", async (t) => {
    const server = await startInMemory(t, {
      async handle(session) {
        session.write(await session.readExactly(3));
        session.write("!");
      },
    });
    const peer = server.connect();
    peer.write("abcdef");
    await until("our end", () => peer.text() === "abc!");
    peer.end();
    const close = await server.record("close");
    assert.equal(close.reason, "done");
    assert.equal(peer.wasReset, false);
  });

  test("signal aborts when the peer has gone, and is aborted already when asked late", async (t) => {
    const sessions: Session[] = [];
    const server = await startInMemory(t, {
      data: (session) => void sessions.push(session as Session),
    });
    const peer = server.connect();
    peer.write("x");
    await until("the session", () => sessions.length === 1);
    const { signal } = sessions[0]!;
    assert.equal(signal.aborted, false);
    let aborts = 0;
    signal.addEventListener("abort", () => aborts++);
    peer.reset();
    const close = await server.record("close");
    assert.equal(close.reason, "reset");
    assert.equal(aborts, 1);
    assert.equal(server.all("error").length, 0, "a peer that hangs up is not an error");

    const other = server.connect();
    other.write("x");
    await until("the other session", () => sessions.length === 2);
    other.end();
    await server.record("close", 2);
    assert.equal(sessions[1]!.signal.aborted, true);
  });

  test("bytes are counted while a session is open, and once", async (t) => {
    const server = await startInMemory(t, { data: (session, chunk) => void session.write(chunk) });
    const counted = (): [number, number] => {
      const { bytesIn, bytesOut } = server.running.status()[0]!;
      return [bytesIn, bytesOut];
    };
    const [peer, other] = [server.connect(), server.connect()];
    peer.write("abcdef");
    other.write("xyz");
    await until("the echoes", () => peer.text() === "abcdef" && other.text() === "xyz");
    assert.deepEqual(counted(), [9, 9]);
    peer.write("gh");
    await until("the next echo", () => peer.text() === "abcdefgh");
    assert.deepEqual(counted(), [11, 11]);
    peer.end();
    const close = await server.record("close");
    assert.deepEqual([close.bytesIn, close.bytesOut], [8, 8]);
    assert.deepEqual(counted(), [11, 11]);
    other.end();
    await server.record("close", 2);
    assert.deepEqual(counted(), [11, 11]);
  });

  test("after its end a session takes nothing: write false, send rejects", async (t) => {
    const sessions: Session[] = [];
    const server = await startInMemory(t, {
      data: (session) => void sessions.push(session as Session),
    });
    const peer = server.connect();
    peer.write("x");
    await until("the session", () => sessions.length === 1);
    sessions[0]!.abort();
    assert.equal(sessions[0]!.write("late"), false);
    await assert.rejects(sessions[0]!.send("late"), { code: "SESSION_CLOSED" });
    const close = await server.record("close");
    assert.equal(close.reason, "aborted");
    assert.equal(peer.wasReset, true);
    assert.equal(close.bytesOut, 0);
  });
});
