/** TLS with somebody who takes nothing for a while: what comes meanwhile is bounded, and the end comes after it. */
import assert from "node:assert/strict";
import { until, within } from "../support/until.ts";
import { Client, named } from "./client.ts";
import { assertBytes, encode, pattern, text } from "./harness.ts";
import type { Behaviour, Recorder, Tapped } from "./recorder.ts";
import { ECHO, type Scene, serverOptions, tls, trusting, withServer } from "./secured.ts";
import { type Case, programs, programsAnywhere, type Stage } from "./stage.ts";
import { type Leave, Leaver } from "./tls-peers.ts";

const MEGABYTE = 1024 * 1024;

/** Hears, and answers the end. */
const LISTENER: Behaviour = { end: (connection) => connection.end() };

/** Stops when the handshake is done. */
const PAUSED: Behaviour = { ...LISTENER, secured: (connection) => connection.pause() };

/** The server's side, when its handshake is done and only what comes after it counts. */
async function secured(server: Recorder): Promise<Tapped> {
  const theirs = await server.connection(0);
  await until("the handshake", () => theirs.events.includes("secured"));
  theirs.chunks.length = theirs.received = 0;
  return theirs;
}

/** Both have closed, in order. */
async function over(...all: readonly Tapped[]): Promise<void> {
  await until("the close", () => all.every(({ closed }) => closed));
  for (const { events, error } of all) {
    assert.equal(error, undefined);
    assert.equal(events.at(-2), "end");
  }
}

/** Writes as long as there is room, 32 MB at most, until nothing has moved for a while; gives back how much. */
async function crowd(stage: Stage, mine: Tapped): Promise<number> {
  const block = pattern(65_536);
  let written = 0;
  for (let still = 0; still < 5 && written < 32 * MEGABYTE; still++) {
    const before = written;
    while (!mine.owed && written < 32 * MEGABYTE) {
      mine.write(block);
      written += block.length;
    }
    await stage.settle();
    if (written > before) still = 0;
  }
  return written;
}

const ends: readonly Case[] = [
  ...tls(
    "an end that comes while nothing is taken is told when it is, after what came before",
    async ({ client, server, stage }) => {
      const mine = await client();
      const theirs = await secured(server);
      const sent = pattern(MEGABYTE);
      mine.write(sent);
      mine.end();
      await stage.settle();
      assert.deepEqual([theirs.received, theirs.ended], [0, false]);
      theirs.resume();
      await over(theirs, mine);
      assertBytes(theirs.bytes(), sent, "received");
    },
    undefined,
    PAUSED,
  ),
  ...tls(
    "who stops at what comes last hears of the end that came with it",
    async ({ client, server, stage }) => {
      const mine = await client();
      const theirs = await secured(server);
      mine.write(encode("last"));
      mine.end();
      await until("the pause", () => theirs.paused);
      await stage.settle();
      assert.equal(theirs.ended, false);
      theirs.resume();
      await over(theirs, mine);
      assert.equal(text(theirs.bytes()), "last");
    },
    undefined,
    { ...LISTENER, data: (connection) => connection.pause() },
    true,
  ),
  ...tls(
    "who stops at each chunk, and goes on later, hears all of it, and the end",
    async ({ client, server }) => {
      const mine = await client();
      const theirs = await secured(server);
      const sent = pattern(3 * MEGABYTE);
      mine.write(sent);
      mine.end();
      await over(theirs, mine);
      assertBytes(theirs.bytes(), sent, "received");
    },
    undefined,
    {
      ...LISTENER,
      data(connection) {
        connection.pause();
        setImmediate(() => connection.closed || connection.resume());
      },
    },
    true,
  ),
  ...tls(
    "who waits for room to answer hears the end of a peer that listens late",
    async ({ client, server, stage }) => {
      const mine = await client();
      const theirs = await secured(server);
      const sent = pattern(8 * MEGABYTE);
      mine.pause();
      mine.write(sent);
      mine.end();
      await stage.settle();
      mine.resume();
      await over(theirs, mine);
      assertBytes(mine.bytes(), sent, "the echo");
    },
    undefined,
    {
      ...ECHO,
      data(connection, chunk) {
        if (!connection.write(chunk.slice())) connection.pause();
      },
      drain: (connection) => connection.resume(),
    },
    true,
  ),
  ...tls(
    "who takes nothing is not filled: the peer has to wait",
    async ({ client, server, stage }) => {
      const mine = await client();
      const theirs = await secured(server);
      const written = await crowd(stage, mine);
      assert.ok(written < 32 * MEGABYTE, `${written} bytes have gone`);
      mine.end();
      theirs.resume();
      await over(theirs, mine);
      assert.equal(theirs.received, written);
    },
    undefined,
    PAUSED,
    true,
  ),
];

/** Who was paused in clear is not any more when the handshake begins. */
const anew: Case = {
  name: "TLS, at once: who was paused before the handshake reads again with it",
  only: "tcp",
  needs: programsAnywhere("openssl"),
  run: async (stage) => {
    const context = (await stage.adapter.tls!()).server(serverOptions());
    const place = { transport: "tls", host: "127.0.0.1", port: 0 } as const;
    const server = await stage.listen({ ...ECHO, open: (each) => each.pause() }, {}, place);
    const client = new Client({});
    const to = named(server.listener.address);
    const connecting = stage.adapter.connect(to, client, undefined, 20_000, trusting());
    const theirs = await server.connection(0);
    await stage.settle();
    theirs.secure(context);
    await within("connect", connecting);
    const mine = client.connections[0]!;
    const sent = pattern(MEGABYTE);
    mine.write(sent);
    await until("the echo", () => mine.received === sent.length);
    assertBytes(mine.bytes(), sent, "the echo");
    await client.stop(() => stage.settle());
  },
};

/** A peer that leaves while the server takes nothing. */
function left(how: Leave, check: (theirs: Tapped, said: string) => void): Case {
  return {
    name: `TLS, others: by a ${how} after 400 KB, while nothing is taken`,
    only: "tcp",
    needs: programs("openssl", "python3"),
    run: (stage) =>
      withServer(stage, "tls", {}, PAUSED, async ({ server }: Scene) => {
        const peer = new Leaver(server.listener.address, 400_000, how);
        try {
          const theirs = await secured(server);
          await peer.left;
          await stage.settle();
          assert.equal(theirs.received, 0);
          if (!theirs.closed) theirs.resume();
          await until("the close", () => theirs.closed);
          check(theirs, await within("the peer's last word", peer.said));
        } finally {
          peer.stop();
        }
      }),
  };
}

const whole = (theirs: Tapped, said: string): void => {
  assert.equal(theirs.received, 400_000);
  assert.deepEqual(theirs.events.slice(-3), ["data", "end", "close"]);
  assert.equal(said, "ended");
};

const others: readonly Case[] = [
  left("farewell", whole),
  left("half-close", whole),
  left("reset", () => {}),
];

/** Of {@link Connection.pause} over TLS. */
export const securedPaused: readonly Case[] = [...ends, anew, ...others];
