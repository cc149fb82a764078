/** Push form of the protocol of lines. */
import { definePlugin } from "../../runtime/mod.ts";
import { type Carry, joined, LF } from "../bare/message.ts";
import { answer, text } from "./lines.ts";

export default definePlugin<Record<string, never>, Carry>({
  name: "lines-push",
  transports: ["stream"],
  start: () => ({
    setup: () => ({ held: undefined }),
    data(session, chunk) {
      const bytes = joined(session.state, chunk);
      let at = 0;
      for (;;) {
        const middle = bytes.indexOf(LF, at);
        const end = middle < 0 ? -1 : bytes.indexOf(LF, middle + 1);
        if (end < 0) break;
        const [key, value] = [bytes.subarray(at, middle), bytes.subarray(middle + 1, end)];
        session.write(answer(text(key), text(value)));
        at = end + 1;
      }
      if (at < bytes.length) session.state.held = bytes.slice(at);
    },
  }),
});
