import { definePlugin } from "../../../runtime/mod.ts";

/** Tells each peer under which address it is served; who sends a datagram, also which one it has asked. */
export default definePlugin({
  name: "remote",
  transports: ["stream", "datagram"],
  start: () => ({
    setup(session) {
      if (session.kind === "stream") session.write(`${session.remote}\n`);
      return undefined;
    },
    data(session) {
      if (session.kind === "datagram") session.write(`${session.remote} asked ${session.local}`);
    },
  }),
});
