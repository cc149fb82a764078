/** Modules whose default export has a `fetch` are HTTP plugins as they are. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { describe, test } from "node:test";
import { sourceOf } from "../runtime/manifest/load.ts";
import { isApp, nameOf } from "../runtime/modules/app.ts";
import { loadPlugin } from "../runtime/modules/plugin.ts";
import { folder } from "./support/folder.ts";
import { startManifest } from "./support/in-process.ts";
import { expand, prepare } from "./support/manifest.ts";
import { pluginPath } from "./support/server-process.ts";

const HTTP = "http://127.0.0.1:0";

/** What the root of a service answers. */
async function get(endpoint: string, path = "/"): Promise<string> {
  const response = await fetch(endpoint + path);
  return `${response.status} ${await response.text()}`;
}

describe("a module with fetch", () => {
  test("a Hono app is served as it is, under every strategy that HTTP has, and is given the session", async (t) => {
    const plugin = pluginPath("hono-app");
    const server = await startManifest(t, {
      async: { plugin, listen: HTTP },
      serial: { plugin, listen: HTTP, concurrency: "serial" },
      http: { plugin: "http", listen: HTTP, options: { app: plugin } },
    });
    for (const service of ["async", "serial", "http"]) {
      const endpoint = server.endpoint(service);
      assert.equal(await get(endpoint), "200 hello from 127.0.0.1");
      assert.equal(await get(endpoint, "/greet/ada"), '200 {"name":"ada"}');
      assert.match(await get(endpoint, "/nowhere"), /^404/);
    }
  });

  const forms: [string, string][] = [
    [
      "an object, with its own this",
      `export default { name: "of mine", fetch() { return new Response(this.name); } }`,
    ],
    [
      "a function",
      `const app = () => {}; app.fetch = () => new Response("of mine"); export default app;`,
    ],
    [
      "a router that has a function of every name",
      `const own = { fetch: () => new Response("of mine") };
      export default new Proxy(own, { get: (target, name) => target[name] ?? (() => {}) });`,
    ],
    ["a promise of an answer", `export default { fetch: async () => new Response("of mine") }`],
  ];
  for (const [what, text] of forms) {
    test(`the default export may be ${what}`, async (t) => {
      const plugin = "./my-app.js";
      const server = await startManifest(t, { app: { plugin, listen: HTTP } }, {
        "my-app.js": text,
      });
      assert.equal(await get(server.endpoint()), "200 of mine");
    });
  }

  test("a request may be made of the one that came, and be sent on", async (t) => {
    const files = {
      "origin.js": `export default {
        async fetch(request) {
          const { pathname } = new URL(request.url);
          return new Response([request.method, pathname, request.headers.get("x-more"), await request.text()].join());
        },
      };`,
      "on.js": `export default {
        async fetch(request) {
          const { pathname, searchParams } = new URL(request.url);
          const to = searchParams.get("to") + pathname;
          if (pathname === "/same") return await fetch(new Request(to, request));
          const headers = { "x-more": "1" };
          if (pathname === "/changed") return await fetch(new Request(to, new Request(request, { headers })));
          if (pathname === "/init") return await fetch(to, new Request(request, { method: "PUT", body: "other" }));
          await request.text();
          try {
            return new Response(new Request(request).method && "copied");
          } catch (error) {
            return new Response(error.name);
          }
        },
      };`,
    };
    const server = await startManifest(t, {
      origin: { plugin: "./origin.js", listen: HTTP },
      on: { plugin: "./on.js", listen: HTTP },
    }, files);
    const ask = async (path: string, init?: RequestInit): Promise<string> => {
      const to = encodeURIComponent(server.endpoint("origin"));
      return await (await fetch(`${server.endpoint("on")}${path}?to=${to}`, init)).text();
    };
    const post = { method: "POST", body: "asked" };
    assert.equal(await ask("/same", post), "POST,/same,,asked");
    assert.equal(await ask("/same"), "GET,/same,,");
    assert.equal(await ask("/changed", post), "POST,/changed,1,asked");
    assert.equal(await ask("/init", post), "PUT,/init,,other");
    // A body that was read is as with requests that a program has made itself.
    const used = new Request(server.endpoint("on"), post);
    await used.text();
    let copied = "copied";
    try {
      new Request(used);
    } catch (error) {
      copied = (error as Error).name;
    }
    assert.equal(await ask("/used", post), copied);
  });

  test("what it throws is answered with 500, and told", async (t) => {
    const files = { "app.js": `export default { fetch() { throw new Error("broken"); } }` };
    const server = await startManifest(t, { app: { plugin: "./app.js", listen: HTTP } }, files);
    assert.match(await get(server.endpoint()), /^500/);
    assert.match(String((await server.record({ event: "error" }))["message"]), /broken/);
  });

  test("its name is its file's", async (t) => {
    const home = folder(t, { "my app.v2.js": "export default { fetch() {} }" });
    const url = pathToFileURL(join(home, "my app.v2.js")).href;
    const plugin = await loadPlugin({ specifier: "./my app.v2.js", url });
    assert.deepEqual([plugin.name, plugin.transports], ["my-app-v2", ["http"]]);
    const names = [
      "file:///a/api.ts?v=1",
      "npm:@me/blog@1.2.3",
      "jsr:@me/blog",
      "npm:blog@^1",
      "file:///a/%20.js",
      "https://a.example/x/y.mjs",
    ];
    assert.deepEqual(names.map(nameOf), ["api", "blog", "blog", "blog", "app", "y"]);
  });

  test("a plugin with a method fetch of its own stays a plugin", () => {
    assert.equal(isApp({ name: "a", transports: ["stream"], start() {}, fetch() {} }), false);
    for (const value of [undefined, null, "fetch", {}, { fetch: 1 }, () => {}]) {
      assert.equal(isApp(value), false);
    }
  });
});

describe("what is wrong with it", () => {
  const cases: [string, object, RegExp][] = [
    [
      "it takes no options",
      { plugin: "./app.js", listen: HTTP, options: { port: 80 } },
      /services\.app\.options\n {2}received {2}\{"port":80\}\n {2}expected {2}no options: the plugin app takes none/,
    ],
    [
      "it serves no streams",
      { plugin: "./app.js", listen: "tcp://127.0.0.1:0" },
      /services\.app\.listen\n {2}received {2}"tcp:[^]*a http endpoint: the plugin app serves no other/,
    ],
    [
      "http has to be told what answers",
      { plugin: "http", listen: HTTP },
      /services\.app\n {2}received {2}no "options": \{ "app": … \}\n {2}expected {2}the module that answers/,
    ],
    [
      "http is told a number",
      { plugin: "http", listen: HTTP, options: { app: 3 } },
      /services\.app\.options\.app\n {2}received {2}3\n/,
    ],
    [
      "http is told of a file that is not there",
      { plugin: "http", listen: HTTP, options: { app: "./nowhere.js" } },
      /services\.app\.options\.app\n {2}received {2}"\.\/nowhere\.js", and .*nowhere\.js does not exist/,
    ],
    [
      "http is told of a module that answers nothing",
      { plugin: "http", listen: HTTP, options: { app: "./empty.js" } },
      /services\.app\.options\.app\n {2}received {2}"\.\/empty\.js"\n {2}expected {2}a default export/,
    ],
    [
      "http takes nothing else",
      { plugin: "http", listen: HTTP, options: { app: "./app.js", port: 80 } },
      /services\.app\.options\n {2}received {2}\{"port":80\}\n {2}expected {2}no options/,
    ],
  ];
  for (const [what, service, expected] of cases) {
    test(what, async (t) => {
      const home = folder(t, {
        "app.js": "export default { fetch() {} }",
        "empty.js": "export {};",
      });
      const file = join(home, "portico.ts");
      const source = await sourceOf({ services: { app: service } }, file, () => undefined);
      await assert.rejects(async () => await prepare(expand(source), source), {
        message: expected,
      });
    });
  }
});
