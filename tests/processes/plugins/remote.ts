import { definePlugin } from "../../../runtime/mod.ts";

/** Tells each peer under which address it is served. */
export default definePlugin({
  name: "remote",
  transports: ["stream"],
  start: () => ({
    setup: (session) => void session.write(`${session.remote}\n`) as undefined,
    data() {},
  }),
});
