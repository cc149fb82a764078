import * as v from "valibot";
import type { Hooks } from "../../../runtime/mod.ts";
import { definePlugin } from "../../../runtime/mod.ts";

const FORMS: Readonly<Record<"push" | "pull" | "large", () => Hooks>> = {
  /** Ignores what `write` returns, as most plugins do. */
  push: () => ({ data: (session, chunk) => void session.write(chunk) }),
  pull: () => ({
    async handle(session) {
      for await (const chunk of session) session.write(chunk);
    },
  }),
  /** Sends a number of bytes at once, and waits for it. */
  large: () => ({
    async handle(session) {
      for await (const line of session.lines()) {
        const sent = session.send(new Uint8Array(Number(line)).fill(7));
        session.log.info("sends");
        await sent;
        await session.send("sent\n");
      }
    },
  }),
};

/** Writes more than its peer reads. */
export default definePlugin({
  name: "backlog",
  transports: ["stream"],
  options: v.strictObject({ form: v.picklist(["push", "pull", "large"]) }),
  start: ({ options }) => FORMS[options.form](),
});
