/** An app that greets: GET /hello/NAME. Try: curl http://127.0.0.1:8080/hello/world */
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
  start: ({ options }) => ({
    fetch(request) {
      const [, name] = /^\/hello\/([^/]+)$/.exec(new URL(request.url).pathname) ?? [];
      if (name === undefined) return new Response("404 Not Found", { status: 404 });
      return new Response(`${options.greeting}, ${decodeURIComponent(name)}!\n`);
    },
  }),
});

export default plugin;
