/** What the app does, whoever serves it. */

/** What a manifest may say in `options`. */
export interface Options {
  /** What stands before the name; "Hello" when silent. */
  readonly greeting: string;
}

/** What answers requests. */
export interface App {
  fetch(request: Request): Response | Promise<Response>;
}

/** An app that greets: GET /hello/NAME. */
export function makeApp({ greeting }: Options): App {
  return {
    fetch(request) {
      const [, name] = /^\/hello\/([^/]+)$/.exec(new URL(request.url).pathname) ?? [];
      if (name === undefined) return new Response("404 Not Found", { status: 404 });
      return new Response(`${greeting}, ${decodeURIComponent(name)}!\n`);
    },
  };
}
