/** The server of Bun's documentation, with a handler or a Hono app. */
import hono from "../http/hono.ts";
import response from "../http/response.ts";
import { call, listening } from "./call.ts";

const { handler, port } = call();
Bun.serve({ hostname: "127.0.0.1", port, fetch: handler === "hono" ? hono.fetch : response.fetch });
listening();
