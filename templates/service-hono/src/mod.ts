/** An app that greets: GET /hello/NAME. Try: curl http://127.0.0.1:8080/hello/world */
import { Hono } from "hono";

const app: Hono = new Hono();

app.get("/hello/:name", (c) => c.text(`Hello, ${c.req.param("name")}!\n`));

export default app;
