/** An app that greets: GET /hello/NAME. Try: curl http://127.0.0.1:8080/hello/world */

/** What has a `fetch` is served as it is. */
interface App {
  fetch(request: Request): Response | Promise<Response>;
}

const app: App = {
  fetch(request) {
    const [, name] = /^\/hello\/([^/]+)$/.exec(new URL(request.url).pathname) ?? [];
    if (name === undefined) return new Response("404 Not Found", { status: 404 });
    return new Response(`Hello, ${decodeURIComponent(name)}!\n`);
  },
};

export default app;
