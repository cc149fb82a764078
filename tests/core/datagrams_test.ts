import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { Address } from "../../runtime/core/endpoint.ts";
import type { Session } from "../../runtime/core/plugin.ts";
import { turns, until } from "../support/until.ts";
import { PEER, stage } from "../support/stage.ts";

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
        const play = await stage(t, {
          verify: () => note("verify", true),
          setup: () => note("setup", undefined) as never,
          data(session, chunk) {
            const text = new TextDecoder().decode(chunk);
            session.write(`${text}!`);
            return note(`data ${text}`, undefined);
          },
          finish: () => note("finish", undefined),
        });
        play.send("one");
        await play.record("close");
        assert.deepEqual(pages, ["verify", "setup", "data one", "finish"]);
        assert.deepEqual(play.answers(), ["one!"]);
        assert.deepEqual(play.story, ["open", "close"]);
      },
    );
  }

  test("records of datagrams are debug, and one session number each", async (t) => {
    const play = await stage(t, {
      data(session, chunk) {
        session.log.warn("seen");
        session.write(chunk);
      },
    });
    play.send("12345");
    play.send("1", OTHER);
    await play.record("close", 2);
    const [first, second] = play.of("open");
    assert.equal(first!.level, "debug");
    assert.equal(first!.remote, "udp://192.0.2.7:5353");
    assert.equal(first!.local, "udp://127.0.0.1:7");
    assert.notEqual(first!.session, second!.session);
    const mine = play.records.filter(({ session }) => session === first!.session);
    assert.deepEqual(mine.map(({ event, level }) => `${event} ${level}`), [
      "open debug",
      "log warn",
      "close debug",
    ]);
    assert.equal(mine[2]!.bytesIn, 5);
    assert.equal(mine[2]!.bytesOut, 5);
    assert.deepEqual(play.answers(OTHER), ["1"]);
  });

  test("each write is one datagram, of bytes that may be reused", async (t) => {
    const play = await stage(t, {
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
    play.send("x");
    await play.record("close");
    assert.deepEqual(play.answers(), ["one", "two", ""]);
  });

  test("an async data hook may look at its chunk after an await", async (t) => {
    const play = await stage(t, {
      async data(session, chunk) {
        await turns();
        session.write(chunk);
      },
    });
    play.send("kept");
    await play.record("close");
    assert.deepEqual(play.answers(), ["kept"]);
  });

  test("pull form: the datagram is one chunk, or its lines", async (t) => {
    const seen: unknown[] = [];
    const play = await stage(t, {
      async handle(session) {
        for await (const line of session.lines()) seen.push(line);
        session.write("thanks");
      },
    });
    play.send("a\nb\r\nc");
    await play.record("close");
    assert.deepEqual(seen, ["a", "b", "c"]);
    assert.deepEqual(play.answers(), ["thanks"]);
    play.send("");
    await play.record("close", 2);
    assert.equal(play.of("error").length, 0);
  });

  test("verify is asked for each datagram, and refuses at debug level", async (t) => {
    const play = await stage(t, {
      verify: (peer) => peer.remote.host !== OTHER.host,
      data: (session, chunk) => void session.write(chunk),
    });
    play.send("no", OTHER);
    play.send("yes");
    await play.record("close");
    const refuse = await play.record("refuse");
    assert.equal(refuse.rule, "verify");
    assert.equal(refuse.level, "debug");
    assert.deepEqual(play.answers(OTHER), []);
    assert.deepEqual(play.answers(), ["yes"]);
  });

  test("what cannot be sent is false, and a record says why", async (t) => {
    const answers: boolean[] = [];
    const play = await stage(t, {
      data(session) {
        answers.push(session.write(new Uint8Array(70_000)), session.write("fits"));
      },
    });
    play.send("x");
    const error = await play.record("error");
    assert.equal(error.code, "EMSGSIZE");
    assert.deepEqual(answers, [false, true]);
    assert.deepEqual(play.answers(), ["fits"]);
  });

  test("when the session is over it takes nothing: write false, send rejects, signal aborted", async (t) => {
    const sessions: Session[] = [];
    const play = await stage(t, {
      data(session) {
        sessions.push(session as Session);
        assert.equal(session.signal.aborted, false);
      },
    });
    play.send("x");
    await play.record("close");
    const [session] = sessions;
    assert.equal(session!.write("late"), false);
    await assert.rejects(session!.send("late"), { code: "SESSION_CLOSED" });
    assert.equal(session!.signal.aborted, true);
    assert.deepEqual(play.answers(), []);
  });

  test("abort ends it: the rest of the hook writes into the air", async (t) => {
    let finishes = 0;
    const play = await stage(t, {
      data(session) {
        session.write("before");
        session.abort();
        assert.equal(session.write("after"), false);
      },
      finish: () => void finishes++,
    });
    play.send("x");
    const close = await play.record("close");
    assert.equal(close.reason, "aborted");
    assert.deepEqual(play.answers(), ["before"]);
    assert.equal(finishes, 1);
  });

  test("500 datagrams are answered in order, each from its own bytes", async (t) => {
    const play = await stage(t, {
      data(session, chunk) {
        session.write(chunk);
      },
    }, { level: "info" });
    for (let i = 0; i < 500; i++) play.send(`${i}`);
    await until("all answers", () => play.answers().length === 500);
    assert.deepEqual(play.answers(PEER), Array.from({ length: 500 }, (_, i) => `${i}`));
    const status = play.running.status()[0]!;
    assert.equal(status.served, 500);
    assert.equal(status.live, 0);
    assert.equal(status.bytesIn, status.bytesOut);
    assert.equal(play.story.length, 0, "nobody wants debug records");
  });
});
