/** Says back whatever it is told, to anybody, as often as that is wanted. */
import { definePlugin } from "../../../runtime/mod.ts";

export default definePlugin({
  name: "answer",
  transports: ["stream", "datagram"],
  keepsDatagrams: false,
  start: () => ({ data: (session, chunk) => void session.write(chunk) }),
});
