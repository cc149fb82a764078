/** Answers each message with a write of its own, as the bare servers do. */
import { definePlugin } from "../../runtime/mod.ts";
import { type Carry, joined, MESSAGE } from "../bare/message.ts";

export default definePlugin<Record<string, never>, Carry>({
  name: "pipelined",
  transports: ["stream"],
  start: () => ({
    setup: () => ({ held: undefined }),
    data(session, chunk) {
      const bytes = joined(session.state, chunk);
      let at = 0;
      for (; at + MESSAGE <= bytes.length; at += MESSAGE) {
        session.write(bytes.subarray(at, at + MESSAGE));
      }
      if (at < bytes.length) session.state.held = bytes.slice(at);
    },
  }),
});
