/** An app that greets: GET /hello/NAME. Try: curl http://127.0.0.1:8080/hello/world */
import { Hono } from "hono";
import { definePlugin, type Plugin } from "portico";
import * as v from "valibot";

/** What a manifest may say in `options`. */
export interface Options {
  /** What stands before the name; "Hello" when silent. */
  readonly greeting: string;
}

const plugin: Plugin<Options> = definePlugin({
  name: "__plugin__",
  api: 1,
  transports: ["http"],
  options: v.object({ greeting: v.optional(v.string(), "Hello") }),
  start({ options }) {
    const app = new Hono();
    app.get("/hello/:name", (c) => c.text(`${options.greeting}, ${c.req.param("name")}!\n`));
    return { fetch: app.fetch };
  },
});

export default plugin;
