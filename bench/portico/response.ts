/** What `verified.ts` is compared with. */
import type { Plugin } from "../../runtime/mod.ts";

export default {
  name: "response",
  transports: ["http"],
  start: () => ({ fetch: () => new Response("Hello Hono!") }),
} satisfies Plugin;
