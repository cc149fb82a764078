/** The server of Hono's documentation for Node, with a handler or an app; or `node:http` without a `Response`. */
import { createServer } from "node:http";
import { serve } from "@hono/node-server";
import hono from "../http/hono.ts";
import response from "../http/response.ts";
import { call, listening } from "./call.ts";

const { handler, port } = call();
const hostname = "127.0.0.1";

if (handler === "native") {
  const server = createServer((_, answer) => {
    answer.writeHead(200, { "Content-Type": "text/plain" });
    answer.end("Hello Hono!");
  });
  server.listen(port, hostname, listening);
} else {
  serve({ fetch: handler === "hono" ? hono.fetch : response.fetch, hostname, port }, listening);
}
