/** Greets whoever says a name, a line each. Try: printf 'world\n' | nc -N 127.0.0.1 7007 */
import { definePlugin, type Plugin } from "portico";
import * as v from "valibot";

/** What a manifest may say in `options`. */
export interface Options {
  /** What stands before the name; "Hello" when silent. */
  readonly greeting: string;
}

const plugin: Plugin<Options> = definePlugin({
  name: "__plugin__",
  api: 1,
  transports: ["stream", "datagram"],
  options: v.object({ greeting: v.optional(v.string(), "Hello") }),
  start({ options }) {
    const answer = (line: string) => `${options.greeting}, ${line}!\n`;
    return {
      async handle(session) {
        for await (const line of session.lines()) await session.send(answer(line));
      },
      datagram(session, bytes) {
        session.write(answer(new TextDecoder().decode(bytes).trimEnd()));
      },
    };
  },
});

export default plugin;
