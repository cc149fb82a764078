/** An echo that tells of offences: of a line `bad`, and of whoever comes where it is to refuse all. */
import { definePlugin } from "portico";
import * as v from "valibot";

export default definePlugin({
  name: "offends",
  transports: ["stream", "datagram"],
  options: v.object({ refuses: v.optional(v.boolean(), false) }),
  start: ({ options }) => ({
    verify: () => !options.refuses,
    data(session, chunk) {
      const text = new TextDecoder().decode(chunk);
      if (text === "bad\n") session.offence("bad password");
      session.write(text);
    },
  }),
});
