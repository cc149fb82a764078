/** The app as a plugin. Try: curl http://127.0.0.1:8080/hello/world */
import { definePlugin, type Plugin } from "portico";
import * as v from "valibot";
import { makeApp, type Options } from "./app.ts";

const plugin: Plugin<Options> = definePlugin({
  name: "__plugin__",
  api: 1,
  transports: ["http"],
  options: v.object({ greeting: v.optional(v.string(), "Hello") }),
  start({ options }) {
    const app = makeApp(options);
    return { fetch: (request) => app.fetch(request) };
  },
});

export default plugin;
