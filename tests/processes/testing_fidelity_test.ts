/** What `portico/testing` says happens is what happens: the same conversations in memory, and with sockets and workers. */
import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import { open } from "portico/testing";
import echo from "../../plugins/echo.ts";
import { lackingFeature } from "../support/adapter.ts";
import { startManifest } from "../support/in-process.ts";
import { dial } from "../support/peers.ts";
import { SAMPLE } from "../support/strategies.ts";

/** What both kinds of peers can do. */
interface Peer {
  /** Says something, and hears it again. */
  echo(text: string): Promise<void>;
  end(): void;
  reset(): void;
}

/** A conversation, and how long its service's clock has to go on for it. */
interface Case {
  readonly service: object;
  readonly peers: number;
  readonly talk: (...peers: Peer[]) => Promise<void>;
  readonly time?: number;
}

const CASES: Readonly<Record<string, Case>> = {
  "a peer that talks and ends": {
    service: {},
    peers: 1,
    async talk(peer) {
      await peer!.echo("hello");
      peer!.end();
    },
  },
  "a peer that resets": {
    service: {},
    peers: 1,
    async talk(peer) {
      await peer!.echo("hello");
      peer!.reset();
    },
  },
  "one that is denied": {
    service: { access: { deny: ["127.0.0.0/8"] } },
    peers: 1,
    talk: () => Promise.resolve(),
  },
  "one too many from one address": {
    service: { limits: { perSource: 1 } },
    peers: 2,
    async talk(peer) {
      await peer!.echo("hello");
      peer!.end();
    },
  },
  "one that is silent for too long": {
    service: { limits: { idle: "1s" } },
    peers: 1,
    talk: (peer) => peer!.echo("hello"),
    time: 1200,
  },
  "one that stays for too long": {
    service: { limits: { lifetime: "1s" } },
    peers: 1,
    talk: (peer) => peer!.echo("hello"),
    time: 1200,
  },
};

/** What there is to compare: no time, no port, no number that others have used up. */
function essence(records: readonly Readonly<Record<string, unknown>>[]): unknown[] {
  const sessions = records.filter(({ session }) => session !== undefined);
  const first = Math.min(...sessions.map(({ session }) => Number(session)));
  return sessions
    .map(({ time: _, durationMs: __, remote: ___, local: ____, ...rest }) => ({
      ...rest,
      session: Number(rest["session"]) - first,
    }))
    .sort((a, b) => a.session - b.session);
}

async function inMemory(strategy: string, { service, peers, talk, time }: Case) {
  const settings = { ...service, strategy, transport: "tcp", workers: 1 } as object;
  await using tested = await open(echo, settings);
  const connected = Array.from({ length: peers }, () => tested.connect());
  await talk(...connected.map((peer) => ({
    async echo(text: string) {
      peer.send(text);
      await peer.expect(text);
    },
    end: () => peer.end(),
    reset: () => peer.reset(),
  })));
  if (time !== undefined) await tested.clock.advance(time);
  for (const peer of connected) await peer.closed;
  return essence(tested.records);
}

async function withSockets(t: TestContext, strategy: string, { service, peers, talk }: Case) {
  const concurrency = strategy === "threads" ? { strategy, workers: 1 } : strategy;
  const server = await startManifest(t, {
    echo: { plugin: "echo", listen: "tcp://127.0.0.1:0", concurrency, ...service },
  });
  const connected = [];
  for (let count = 0; count < peers; count++) connected.push(await dial(t, server.endpoint()));
  await talk(...connected);
  const over = (): number => server.all("close").length + server.all("refuse").length;
  await server.when("all sessions over", () => over() === peers);
  return essence(server.records);
}

// Serial is async with one turn, and processes are to a plugin what threads are.
for (
  const strategy of (["async", "threads", "spawn"] as const).filter((one) => SAMPLE.includes(one))
) {
  const skip = strategy !== "async" && lackingFeature("descriptors");
  for (const [name, each] of Object.entries(CASES)) {
    test(`${strategy}: ${name}`, { skip }, async (t) => {
      assert.deepEqual(await inMemory(strategy, each), await withSockets(t, strategy, each));
    });
  }
}
