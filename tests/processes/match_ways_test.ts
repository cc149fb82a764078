/** Peers are told apart by what the runtime has read, or by descriptor: nobody who is told of them sees which. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { lackingFeature } from "../support/adapter.ts";
import { ManagedServer } from "../support/managed-server.ts";
import { Peer } from "../support/peer.ts";
import type { Scope } from "../support/scope.ts";
import { type JsonRecord, pluginPath } from "../support/server-process.ts";

const TCP = "tcp://127.0.0.1:0";
/** Long enough that nobody is waited for in vain who says enough. */
const LONG = "20s";
const skip = lackingFeature("descriptors");
const told = (name: string, more: object = {}) => ({
  plugin: pluginPath("told"),
  options: { name },
  ...more,
});
const SSH = { when: "ssh", service: "ssh" };
const REST = { otherwise: "rest" };
/** To a plugin that takes sockets itself: then nobody is read before it is told apart. */
const PROGRAM = { when: { hex: "fe ff" }, service: "program" };

/** Without what differs between any two connections, and any two manifests. */
function plainly({ time: _, session: __, durationMs: ___, place: ____, ...rest }: JsonRecord) {
  const plain = Object.entries(rest).map(([key, value]) =>
    [key, String(value).replace(/(?<=127\.0\.0\.\d:)\d+$/, "…")] as const
  );
  return Object.fromEntries(plain);
}

/** What is said of them all by everybody who is told of them. */
async function storyOf(scope: Scope, byDescriptor: boolean) {
  const routes = [...(byDescriptor ? [PROGRAM] : []), SSH];
  const server = await ManagedServer.start(scope, {
    front: {
      listen: TCP,
      access: { deny: ["127.0.0.9"] },
      banner: { refuse: "no: ${rule}\n" },
      match: { wait: LONG, routes: [...routes, REST] },
    },
    hasty: { listen: TCP, match: { wait: "200ms", routes: [...routes, REST] } },
    hastyAndStrict: { listen: TCP, match: { wait: "200ms", routes } },
    strict: {
      listen: TCP,
      match: { wait: LONG, routes },
    },
    ssh: told("ssh", { limits: { bytes: 8 } }),
    rest: told("rest", { access: { deny: ["127.0.0.8"] }, banner: { refuse: "not you\n" } }),
    ...(byDescriptor && { program: { plugin: "exec", options: { command: ["cat"] } } }),
  });
  const names = ["front", "hasty", "strict", "hastyAndStrict", "ssh", "rest"] as const;
  const said: string[] = [];
  /** Somebody who has come and gone, before the next one does. */
  const come = async (
    front: string,
    act: (peer: Peer) => unknown,
    from?: string,
  ): Promise<void> => {
    const peer = new Peer(scope, await server.endpoint(front, "tcp"), from);
    await act(peer);
    await peer.when("to be gone", () => peer.gone);
    said.push(peer.text.replace(/at \d+/, "at its port"));
    for (const name of names) await server.until(name, ({ live }) => live === 0);
  };
  /** It has come, and nobody knows whom it is for. */
  const undecided = (front: string) => server.until(front, ({ live }) => live === 1);

  await come("front", (peer) => peer.say("SSH-1").socket.end());
  await come("front", async (peer) => {
    peer.say("SS");
    await undecided("front");
    peer.say("H-2").socket.end();
  });
  // More than it may say, at once.
  await come("front", (peer) => void peer.say("SSH-2.0-much"));
  await come("front", (peer) => peer.say("SS").socket.end());
  await come("front", (peer) => peer.socket.end());
  await come("front", (peer) => peer.say("hello").socket.end());
  await come("hasty", async (peer) => {
    await peer.hears("rest");
    peer.say("late").socket.end();
  });
  await come("front", () => {}, "127.0.0.9");
  await come("front", (peer) => void peer.say("hello"), "127.0.0.8");
  await come("strict", (peer) => void peer.say("hello"));
  await come("strict", (peer) => peer.say("S").socket.end());
  await come("strict", (peer) => peer.socket.end());
  await come("hastyAndStrict", () => {});
  // What is left of a reset socket for whoever makes a connection of it, runtimes differ in.
  await come("strict", async (peer) => {
    peer.say("SS");
    await undecided("strict");
    peer.socket.resetAndDestroy();
  });
  const stories = await Promise.all(names.map(async (service) => {
    const { served, refused, errors, bytesIn, bytesOut, tally, routes } = await server.service(
      service,
    );
    const led = routes?.slice(byDescriptor ? 1 : 0);
    const { refused: refusals, ended: ends } = tally;
    const closed = Object.values(ends).reduce((sum, count) => sum + count, 0);
    // What a status knows may be in no record yet.
    await server.process.count(refused, { event: "refuse", service });
    await server.process.count(closed, { event: "close", service });
    const records = server.process.all({ service }).map(plainly);
    return { service, served, refused, errors, bytesIn, bytesOut, refusals, ends, led, records };
  }));
  return { said, stories };
}

describe("peers who are told apart, read by the runtime or by descriptor", { skip }, () => {
  test("their records, counts and limits are the same", async (t) => {
    const held = await storyOf(t, false);
    assert.deepEqual(held, await storyOf(t, true));
    assert.deepEqual(held.said.slice(0, 2), ["ssh 127.", "ssh 127."]);
  });
});
