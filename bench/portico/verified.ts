/** A handler that looks at who comes before it serves. */
import type { Plugin } from "../../runtime/mod.ts";

export default {
  name: "verified",
  transports: ["http"],
  start: () => ({
    verify: () => true,
    fetch: () => new Response("Hello Hono!"),
  }),
} satisfies Plugin;
