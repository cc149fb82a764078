/** Resets over TLS: they are told as in clear, not as ends, whoever writes what when they come. */
import assert from "node:assert/strict";
import { until } from "../support/until.ts";
import type { Behaviour, Tapped } from "./recorder.ts";
import { ECHO, withServer } from "./secured.ts";
import { type Case, programs } from "./stage.ts";
import { type Leave, Leaver } from "./tls-peers.ts";

/** A peer that says `length` bytes, hears them, and goes. */
function gone(
  name: string,
  length: number,
  how: Leave,
  check: (theirs: Tapped) => void,
  more: Behaviour = {},
): Case {
  return {
    name: `TLS, resets: ${name}`,
    only: "tcp",
    needs: programs("openssl", "python3"),
    run: (stage) =>
      withServer(stage, "tls", {}, { ...ECHO, ...more }, async ({ server }) => {
        const peer = new Leaver(server.listener.address, length, how, length);
        try {
          const theirs = await server.connection(0);
          await peer.left;
          await until("the close", () => theirs.closed);
          check(theirs);
        } finally {
          peer.stop();
        }
      }),
  };
}

/** It is that of the peer, and no end. */
function reset(theirs: Tapped): void {
  assert.ok(!theirs.ended, `${theirs.events}`);
  assert.deepEqual([theirs.error?.code, theirs.error?.side], ["ECONNRESET", "peer"]);
}

/** Of {@link Connection.secure}, when the peer resets the connection. */
export const securedResets: readonly Case[] = [
  // A server's own last words of the handshake, the session tickets, may be what finds out.
  gone("by who has done its handshake, and nothing else", 0, "reset", (theirs) => {
    if (theirs.events.includes("secured")) reset(theirs);
    else assert.equal(theirs.error?.code, "TLS_FAILED");
  }),
  gone("by who has had an answer", 5, "reset", reset),
  gone("by who has ended before: that was an end", 5, "half-close and reset", (theirs) => {
    assert.ok(theirs.ended, `${theirs.events}: ${theirs.error}`);
  }),
];
