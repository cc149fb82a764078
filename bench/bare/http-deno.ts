/** The server of Deno's documentation, with a handler or a Hono app. */
import hono from "../http/hono.ts";
import response from "../http/response.ts";
import { call, listening } from "./call.ts";

const { handler, port } = call();
const options = { hostname: "127.0.0.1", port, onListen: listening };
Deno.serve(options, handler === "hono" ? hono.fetch : response.fetch);
