/** The server of srvx's documentation, on every runtime, with a Hono app. */
import { serve } from "srvx";
import hono from "../http/hono.ts";
import { call, listening } from "./call.ts";

const { port } = call();
const server = serve({ fetch: hono.fetch, hostname: "127.0.0.1", port, silent: true });
await server.ready();
listening();
