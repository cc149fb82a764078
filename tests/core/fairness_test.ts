/** A session that could go on for ever leaves every turn to the others. Turns are counted, not time. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Session } from "../../runtime/core/plugin.ts";
import { startInMemory } from "../support/in-memory.ts";
import { until } from "../support/until.ts";

const KIB = 1024;
/** What all may send in one turn: `SHARE` of `Gather`. */
const SHARE = 512 * KIB;
/** Nobody comes to this end unless nobody gives way. */
const MUCH = 60 * SHARE;

/** One turn of the event loop. */
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** Ways to send as much as there is room for. */
const SENDERS: Readonly<
  Record<string, (session: Session, block: Uint8Array, on: () => boolean) => Promise<void>>
> = {
  async send(session, block, on) {
    while (on()) await session.send(block);
  },
  async "write, then writable"(session, block, on) {
    while (on()) if (!session.write(block)) await session.writable();
  },
};

describe("fairness", () => {
  for (const [name, fill] of Object.entries(SENDERS)) {
    for (const size of [256, 4 * KIB, 64 * KIB, 500 * KIB]) {
      test(`${name}, ${size} bytes at a time: its share in each turn, and others are answered`, async (t) => {
        let stopped = false;
        let sent = 0;
        const server = await startInMemory(t, {
          async handle(session) {
            const greedy = await session.readExactly(1);
            if (greedy[0] === 0) {
              const block = new Uint8Array(size);
              await fill(session as Session, block, () => !stopped && (sent += size) < MUCH);
            } else for await (const line of session.lines()) session.write(`${line};`);
          },
        });
        const greedy = [0, 1, 2, 3].map(() => server.connect());
        const small = server.connect();
        small.write(Uint8Array.of(1));
        for (const peer of greedy) peer.write(Uint8Array.of(0));
        await until("them", () => sent > 0);
        for (let i = 0, wanted = ""; i < 5; i++) {
          wanted += `${i};`;
          small.write(`${i}\n`);
          let turns = 0;
          for (; small.text() !== wanted; turns++) {
            const before = sent;
            await turn();
            const most = 2 * (SHARE + greedy.length * (64 * KIB + size));
            assert.ok(sent - before <= most, `${sent - before} bytes in one turn`);
            assert.ok(turns < 5, `no answer after ${turns} turns`);
          }
          for (const peer of greedy) peer.received.length = 0;
        }
        assert.ok(sent < MUCH, "nobody gave way");
        stopped = true;
        for (const peer of greedy) peer.end();
      });
    }
  }

  test("of hundreds who come in one turn each sends a batch, then all of them share a turn, in order", async (t) => {
    const count = 300;
    const size = 64 * KIB;
    let sent = 0;
    let stopped = false;
    const server = await startInMemory(t, {
      async handle(session) {
        await session.readExactly(1);
        const block = new Uint8Array(size);
        while (!stopped) {
          sent += size;
          await (session as Session).send(block);
        }
      },
    });
    const peers = Array.from({ length: count }, () => server.connect());
    for (const peer of peers) peer.write("x");
    await until("all of them", () => sent >= count * size);
    for (let i = 0; i < count; i++) {
      const before = sent;
      await turn();
      // Of the turn before, too: who goes on does so at its end.
      assert.ok(sent - before <= 4 * SHARE, `${sent - before} bytes in one turn`);
    }
    const lengths = peers.map((peer) => peer.received.length);
    assert.ok(
      Math.max(...lengths) <= 2 * Math.min(...lengths) + 2,
      `from ${Math.min(...lengths)} to ${Math.max(...lengths)} chunks`,
    );
    stopped = true;
    for (const peer of peers) peer.end();
  });
});
