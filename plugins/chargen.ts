import * as v from "valibot";
import type { Session } from "../runtime/mod.ts";
import { definePlugin, type Plugin } from "../runtime/mod.ts";
import { DATAGRAM_RATE, FACTOR, refuseLoops, replyLimit } from "./wire.ts";

/** The printing characters of ASCII, the length of a line without its CRLF, and of a datagram at most. */
const PRINTING = 95;
const WIDTH = 72;
const DATAGRAM_MAX = 512;

/** All 95 lines of the pattern, one after the other: it repeats from there. */
const PATTERN: Uint8Array = new TextEncoder().encode(
  Array.from({ length: PRINTING }, (_, line) =>
    String.fromCharCode(
      ...Array.from({ length: WIDTH }, (_, column) => 32 + (line + column) % PRINTING),
    ) + "\r\n").join(""),
);

/** The options of `chargen`. */
export interface ChargenOptions {
  /** How many times as long as its request an answer over UDP may be, headers counted; 2 when silent. */
  readonly factor: number;
}

/** What a manifest may say of them. */
export interface ChargenInput {
  readonly factor?: number | undefined;
}

/**
 * Sends characters until the peer has had enough: RFC 864. What it gets it throws away. A datagram
 * is answered with up to 512 characters; over UDP the answer is cut to `factor` times the request,
 * headers counted, so that nobody can be flooded by it.
 *
 * Try: `nc 127.0.0.1 7019 | head`
 */
const chargen: Plugin<ChargenOptions, unknown, ChargenInput> = definePlugin({
  name: "chargen",
  transports: ["stream", "datagram"],
  keepsDatagrams: false,
  datagramRate: DATAGRAM_RATE,
  options: v.strictObject({
    factor: v.optional(
      v.pipe(
        v.number(),
        v.minValue(1),
        v.description(
          "how many times as long as its request an answer over UDP may be, headers counted",
        ),
      ),
      FACTOR,
    ),
  }),
  start: ({ options }) => ({
    verify: refuseLoops,
    setup(session) {
      if (session.kind === "stream") fill(session);
      return undefined;
    },
    data(session) {
      if (session.kind === "stream") return;
      const length = Math.min(DATAGRAM_MAX, replyLimit(session, options.factor));
      session.write(PATTERN.subarray(0, length));
    },
    drain: fill,
  }),
});

export default chargen;

/** Writes until there is a backlog; `drain` says when it has gone out. */
function fill(session: Session<undefined>): void {
  while (session.write(PATTERN));
}
