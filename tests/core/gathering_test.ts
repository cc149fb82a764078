/** How often a session's bytes leave: each write that the adapter sees is a system call. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Session } from "../../runtime/core/plugin.ts";
import { Gather } from "../../runtime/core/stream/gather.ts";
import { startInMemory } from "../support/in-memory.ts";
import { until } from "../support/until.ts";

const COMMANDS = 50;
const BATCH = "get key\r\n".repeat(COMMANDS);
const ANSWERS = "value\r\n".repeat(COMMANDS);

/** So many awaits of what is there already. */
async function steps(count: number): Promise<void> {
  for (let i = 0; i < count; i++) await Promise.resolve();
}

/** How a handler answers one command after the other. */
const FORMS: Readonly<Record<string, (session: Session, awaits: number) => Promise<void>>> = {
  async readUntil(session, awaits) {
    while (await session.readUntil("\r\n") !== undefined) {
      await steps(awaits);
      await session.send("value\r\n");
      await steps(awaits);
    }
  },
  async "readUntil and readExactly, several for each command"(session, awaits) {
    while (await session.readUntil(" ") !== undefined) {
      await steps(awaits);
      await session.readExactly(3);
      await session.readUntil("\r\n");
      session.write("value");
      await steps(awaits);
      session.write("\r\n");
    }
  },
  async lines(session, awaits) {
    for await (const _line of session.lines()) {
      await steps(awaits);
      session.write("value\r\n");
    }
  },
};

describe("commands that have come together", () => {
  for (const [form, serve] of Object.entries(FORMS)) {
    for (const awaits of [0, 1, 3, 5, 10]) {
      test(`are answered together, by ${form} with ${awaits} awaits more`, async (t) => {
        const server = await startInMemory(t, {
          handle: (session) => serve(session as Session, awaits),
        });
        // Several sessions at work in one turn do not part each other's answers.
        const peers = [server.connect(), server.connect(), server.connect()];
        for (let batch = 1; batch <= 2; batch++) {
          for (const peer of peers) peer.write(BATCH);
          for (const peer of peers) {
            await until("all answers", () => peer.text() === ANSWERS.repeat(batch));
            assert.equal(peer.received.length, batch);
          }
        }
      });
    }
  }

  test("are answered together, though another handler waits for ever", async (t) => {
    const server = await startInMemory(t, {
      async handle(session) {
        for await (const line of session.lines()) {
          session.write(`${line};`);
          if (line === "wait") await new Promise(() => {});
        }
      },
    });
    const [busy, other] = [server.connect(), server.connect()];
    busy.write("wait\n");
    other.write("a\nb\n");
    await until("the other's answers", () => other.text() === "a;b;");
    assert.equal(other.received.length, 1);
    await until("what was written before the wait", () => busy.text() === "wait;");
  });

  test("are answered in parts when the handler waits for a later round between them", async (t) => {
    let goOn = (): void => {};
    const server = await startInMemory(t, {
      async handle(session) {
        for await (const line of session.lines()) {
          session.write(`${line};`);
          if (line === "b") await new Promise<void>((resolve) => goOn = resolve);
        }
      },
    });
    const peer = server.connect();
    peer.write("a\nb\nc\nd\n");
    await until("the first part", () => peer.text() === "a;b;");
    goOn();
    await until("the second", () => peer.text() === "a;b;c;d;");
    assert.equal(peer.received.length, 2);
  });

  test("what follows a read that is not awaited yet leaves with the rest", async (t) => {
    const server = await startInMemory(t, {
      async handle(session) {
        for (let next = session.readUntil("\n"); await next !== undefined;) {
          session.write("one;");
          next = session.readUntil("\n");
          session.write("two;");
        }
      },
    });
    const peer = server.connect();
    peer.write("a\nb\n");
    await until("the answers", () => peer.text() === "one;two;one;two;");
    assert.equal(peer.received.length, 1);
  });
});

describe("Gather", () => {
  /** A session that counts how often it was flushed. */
  const writer = (isAtWork: boolean) => ({
    isAtWork,
    flushed: 0,
    flush() {
      this.flushed++;
    },
    rested() {},
  });

  test("where turns end with the round, one callback ends it for all", () => {
    const deferred: (() => void)[] = [];
    const gather = new Gather({
      turns: "round",
      defer: (callback) => void deferred.push(callback),
    });
    const writers = [writer(true), writer(false), writer(true)];
    for (const each of writers) gather.add(each);
    assert.equal(deferred.length, 1);
    deferred[0]!();
    assert.deepEqual(writers.map(({ flushed }) => flushed), [1, 1, 1]);
  });

  test("where it ends with the microtasks nothing is deferred, and who is not at work is waited for a little", async () => {
    const gather = new Gather({ turns: "microtasks", defer: () => assert.fail("deferred") });
    const [reader, other] = [writer(true), writer(false)];
    gather.add(reader);
    reader.isAtWork = false;
    await Promise.resolve();
    assert.equal(reader.flushed, 1);
    gather.add(other);
    await Promise.resolve();
    assert.equal(other.flushed, 0);
    await steps(3);
    assert.equal(other.flushed, 1);
  });
});
