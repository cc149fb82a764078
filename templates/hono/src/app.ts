/** What the app does, whoever serves it. */
import { Hono } from "hono";

/** What a manifest may say in `options`. */
export interface Options {
  /** What stands before the name; "Hello" when silent. */
  readonly greeting: string;
}

/** An app that greets: GET /hello/NAME. */
export function makeApp({ greeting }: Options): Hono {
  const app = new Hono();
  app.get(
    "/hello/:name",
    (context) => context.text(`${greeting}, ${context.req.param("name")}!\n`),
  );
  return app;
}
