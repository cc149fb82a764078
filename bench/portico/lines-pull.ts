/** Pull form of the protocol of lines: three awaits for each command, as one that asks a store has. */
import { definePlugin } from "../../runtime/mod.ts";
import { answer, type Command, parse } from "./lines.ts";

async function lookUp(command: Command): Promise<string> {
  const found = await answer(command);
  return found;
}

export default definePlugin({
  name: "lines-pull",
  transports: ["stream"],
  start: () => ({
    async handle(session) {
      for (;;) {
        const line = await session.readUntil("\n");
        if (line === undefined) return;
        session.write(await lookUp(parse(line)));
      }
    },
  }),
});
