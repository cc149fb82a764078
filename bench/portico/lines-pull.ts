/** Pull form of the protocol of lines: several awaits for each command, as one that asks a store has. */
import { definePlugin } from "../../runtime/mod.ts";
import { answer, text } from "./lines.ts";

/** What is there already, behind the promises of whoever might have to wait for it. */
async function store(key: string, value: string): Promise<string> {
  const stored = await Promise.resolve(answer(key, value));
  return stored;
}

export default definePlugin({
  name: "lines-pull",
  transports: ["stream"],
  start: () => ({
    async handle(session) {
      for (;;) {
        const key = await session.readUntil("\n");
        const value = await session.readUntil("\n");
        if (key === undefined || value === undefined) return;
        session.write(await store(text(key), text(value)));
      }
    },
  }),
});
