import * as v from "valibot";
import { definePlugin } from "../../../runtime/mod.ts";

/** Answers with its options, as a line of JSON. */
export default definePlugin({
  name: "words",
  transports: ["stream"],
  options: v.looseObject({
    flag: v.optional(v.boolean()),
    count: v.optional(v.number()),
    token: v.optional(v.string()),
    list: v.optional(v.array(v.number())),
    deep: v.optional(v.object({ er: v.number(), more: v.optional(v.string()) })),
  }),
  start: ({ options, scope }) => ({
    data: (session) => void session.write(`${JSON.stringify({ ...options, scope })}\n`),
  }),
});
