import * as v from "valibot";
import { definePlugin, type Plugin } from "../runtime/mod.ts";
import { DATAGRAM_RATE, refuseLoops } from "./wire.ts";

/** The options of `echo`. */
export interface EchoOptions {
  /** Sends letters of ASCII back in upper case; false when silent. */
  readonly upper: boolean;
}

/** What a manifest may say of them. */
export interface EchoInput {
  readonly upper?: boolean | undefined;
}

/**
 * Sends back what it gets: RFC 862. With `upper`, in upper case, as far as letters of ASCII go.
 *
 * Try: `printf hello | nc -q1 127.0.0.1 7007`
 */
const echo: Plugin<EchoOptions, unknown, EchoInput> = definePlugin({
  name: "echo",
  transports: ["stream", "datagram"],
  keepsDatagrams: false,
  datagramRate: DATAGRAM_RATE,
  options: v.strictObject({
    upper: v.optional(
      v.pipe(v.boolean(), v.description("sends letters of ASCII back in upper case")),
      false,
    ),
  }),
  start: ({ options }) => ({
    verify: refuseLoops,
    data: options.upper
      ? (session, chunk) => void session.write(shout(chunk))
      : (session, chunk) => void session.write(chunk),
  }),
});

export default echo;

/** ASCII letters only: a chunk may begin or end inside a character. */
function shout(chunk: Uint8Array): Uint8Array {
  return chunk.map((byte) => byte >= 97 && byte <= 122 ? byte - 32 : byte);
}
