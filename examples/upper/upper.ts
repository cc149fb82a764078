import { definePlugin } from "portico";
import * as v from "valibot";

/**
 * Answers each line in upper case, with its number. `for await` waits for the next line, `send` for
 * room to answer: a peer that does not read is not read from either. On a
 * datagram the lines are its own, and each answer is a datagram.
 */
export default definePlugin({
  name: "upper",
  transports: ["stream", "datagram"],
  options: v.strictObject({ longest: v.optional(v.pipe(v.number(), v.minValue(1)), 65536) }),
  start: ({ options }) => ({
    async handle(session) {
      let count = 0;
      for await (const line of session.lines(options.longest)) {
        await session.send(`${++count} ${line.toUpperCase()}\n`);
      }
    },
  }),
});
