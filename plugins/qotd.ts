import * as v from "valibot";
import { definePlugin, type Plugin } from "../runtime/mod.ts";
import { DATAGRAM_RATE, FACTOR, refuseLoops, replyLimit } from "./wire.ts";

/** RFC 865: a quote has less than 512 characters. */
const QUOTE_MAX = 511;

const QUOTES: readonly string[] = [
  "Simple beats clever.",
  "A miss that is reported is worth more than a claim.",
  "Deleting is work well done.",
  "Be kind to your peers; they may be resending.",
  "An error message is a letter to somebody in trouble.",
];

/** The options of `qotd`. */
export interface QotdOptions {
  /** The quotes, one for each day. */
  readonly quotes: string[];
  /** How many times as long as its request an answer over UDP may be, headers counted; 2 when silent. */
  readonly factor: number;
}

/** What a manifest may say of them. */
export interface QotdInput {
  readonly quotes?: string[] | undefined;
  readonly factor?: number | undefined;
}

/**
 * Sends a quote of the day, then ends: RFC 865. The same one for a whole day (UTC). Over UDP it is
 * cut to `factor` times the request, headers counted, so that nobody can be flooded by it.
 *
 * Try: `nc 127.0.0.1 7017`
 */
const qotd: Plugin<QotdOptions, unknown, QotdInput> = definePlugin({
  name: "qotd",
  transports: ["stream", "datagram"],
  keepsDatagrams: false,
  datagramRate: DATAGRAM_RATE,
  options: v.strictObject({
    quotes: v.optional(
      v.pipe(v.array(v.string()), v.minLength(1), v.description("the quotes, one for each day")),
      [...QUOTES],
    ),
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
  start: ({ options: { quotes, factor } }) => {
    const encoded = quotes.map((quote) =>
      new TextEncoder().encode(`${quote}\r\n`).subarray(0, QUOTE_MAX)
    );
    return {
      verify: refuseLoops,
      handle(session) {
        const today = Math.floor(Date.now() / 86_400_000);
        session.write(encoded[today % encoded.length]!.subarray(0, replyLimit(session, factor)));
      },
    };
  },
});

export default qotd;
