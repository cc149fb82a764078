/** Answers lines; after `pour` it never stops to write, as fast as its peer reads. */
import { definePlugin } from "../../../runtime/mod.ts";

export default definePlugin({
  name: "talks",
  transports: ["stream"],
  start: () => ({
    async handle(session) {
      for await (const line of session.lines()) {
        if (line === "pour") { for (;;) await session.send("x".repeat(65536)); }
        await session.send(`${line}\n`);
      }
    },
  }),
});
