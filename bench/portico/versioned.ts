/** Echo that tells which `version` of its options it was started with: whether a reload has come through. */
import * as v from "valibot";
import { definePlugin } from "../../runtime/mod.ts";

/** The question, alone in its segment. */
export const QUESTION = "which version?\n";

export default definePlugin({
  name: "versioned",
  transports: ["stream"],
  options: v.strictObject({ version: v.number() }),
  start: ({ options }) => ({
    data(session, chunk) {
      const asks = chunk.length === QUESTION.length && new TextDecoder().decode(chunk) === QUESTION;
      session.write(asks ? `${options.version}\n` : chunk);
    },
  }),
});
