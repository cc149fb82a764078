/** Pull form, with chunks that are lent until the next one is asked for. */
import { definePlugin } from "../../runtime/mod.ts";

export default definePlugin({
  name: "pull-lent",
  transports: ["stream"],
  keepsChunks: false,
  start: () => ({
    async handle(session) {
      for await (const chunk of session) session.write(chunk);
    },
  }),
});
