import { definePlugin, lines, type Session } from "portico";
import * as v from "valibot";

/** Speaks with clients in as many workers as there are, and asks the one store what they ask for. */
export default definePlugin({
  name: "front",
  transports: ["stream"],
  options: v.strictObject({ store: v.string() }),
  start: ({ options, connect, worker }) => {
    /** This worker's connection, made when it is needed, and made anew when it is gone. */
    let store: Session | undefined;
    /** One question at a time: the answers come in order. */
    let last: Promise<unknown> = Promise.resolve();

    async function ask(line: string): Promise<string> {
      if (store === undefined) {
        const opened = store = await connect(options.store);
        void opened.closed.then(() => {
          if (store === opened) store = undefined;
        });
      }
      await store.send(`${line}\n`);
      return await store.read(lines(), { timeout: "5s" }) ?? "the store has gone";
    }

    return {
      async handle(session) {
        for await (const line of session.lines(256)) {
          if (line === "worker") {
            await session.send(`worker ${worker}\n`);
            continue;
          }
          const answer = last.then(() => ask(line));
          last = answer.catch(() => {});
          await session.send(`${await answer}\n`);
        }
      },
      stop: () => store?.end(),
    };
  },
});
