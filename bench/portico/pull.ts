/** Pull form: what comes is sent back. */
import { definePlugin } from "../../runtime/mod.ts";

export default definePlugin({
  name: "pull",
  transports: ["stream"],
  start: () => ({
    async handle(session) {
      for await (const chunk of session) session.write(chunk);
    },
  }),
});
