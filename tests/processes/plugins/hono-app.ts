import { Hono } from "hono";
import type { RequestInfo } from "../../../runtime/core/plugin.ts";

/** An application that knows of no server, but takes what it is given as `env`. */
const app = new Hono<{ Bindings: RequestInfo }>();
app.get("/", (c) => c.text(`hello from ${c.env.session.remote.host}`));
app.get("/greet/:name", (c) => c.json({ name: c.req.param("name") }));
export default app;
