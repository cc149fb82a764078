/** Push form: what comes is sent back. */
import { definePlugin } from "../../runtime/mod.ts";

export default definePlugin({
  name: "push",
  transports: ["stream", "datagram"],
  keepsDatagrams: false,
  start: () => ({
    data(session, chunk) {
      session.write(chunk);
    },
  }),
});
