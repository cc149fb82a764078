/** Push echo that collects garbage when asked: for the memory of connections that do nothing. */
import { definePlugin } from "../../runtime/mod.ts";
import { COLLECT, collect } from "../bare/message.ts";

export default definePlugin({
  name: "idle",
  transports: ["stream"],
  start: () => ({
    data(session, chunk) {
      if (chunk[0] === COLLECT) collect();
      session.write(chunk);
    },
  }),
});
