/** Push form of the protocol of lines. */
import { definePlugin } from "../../runtime/mod.ts";
import { type Carry, joined } from "../bare/message.ts";
import { answer, parse } from "./lines.ts";

const LF = 0x0a;

export default definePlugin<Record<string, never>, Carry>({
  name: "lines-push",
  transports: ["stream"],
  start: () => ({
    setup: () => ({ held: undefined }),
    data(session, chunk) {
      const bytes = joined(session.state, chunk);
      let at = 0;
      for (let end; (end = bytes.indexOf(LF, at)) >= 0; at = end + 1) {
        session.write(answer(parse(bytes.subarray(at, end))));
      }
      if (at < bytes.length) session.state.held = bytes.slice(at);
    },
  }),
});
