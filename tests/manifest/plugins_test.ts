/** The plugins of a manifest: where they are found, what they get. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { describe, test } from "node:test";
import { pathToFileURL } from "node:url";
import type { Plan } from "../../runtime/core/plan.ts";
import { load } from "../../runtime/manifest/load.ts";
import { resolveExports } from "../../runtime/modules/package.ts";
import { folder } from "../support/folder.ts";
import { expand, prepare } from "../support/manifest.ts";

/** The plan of a manifest's value, as if it lay in /srv. */
function plan(value: unknown): Plan {
  return expand({ file: "/srv/portico.json", value, locate: () => undefined });
}

/** The plan of one service. */
function one(service: Record<string, unknown>, rest: Record<string, unknown> = {}) {
  const manifest = {
    ...rest,
    services: { s: { plugin: "echo", listen: "tcp://*:0", ...service } },
  };
  return plan(manifest).services[0]!;
}

const PLUGIN =
  `export default { name: "p", transports: ["stream"], start: () => ({ data() {} }) };`;

describe("resolvePlugin", () => {
  const services = (plugin: string): string =>
    JSON.stringify({
      plugins: { own: "./own.ts", echo: "./own.ts" },
      services: { s: { plugin, listen: "tcp://*:0" } },
    });
  async function urlOf(path: string): Promise<string> {
    return expand(await load(path)).services[0]!.plugin.url;
  }
  for (const plugin of ["own", "./own.ts", "../srv/own.ts", "echo"]) {
    test(`resolvePlugin finds ${plugin} from the manifest's folder`, async (t) => {
      const home = folder(t, { "srv/portico.json": services(plugin), "srv/own.ts": PLUGIN });
      assert.equal(await urlOf(join(home, "srv")), pathToFileURL(join(home, "srv/own.ts")).href);
    });
  }
  test("resolvePlugin takes an absolute path and a file: URL", (t) => {
    const home = folder(t, { "own.ts": PLUGIN });
    const url = pathToFileURL(join(home, "own.ts")).href;
    assert.equal(one({ plugin: join(home, "own.ts") }).plugin.url, url);
    assert.equal(one({ plugin: url }).plugin.url, url);
  });
  test("resolvePlugin passes npm:, jsr: and https: on", () => {
    for (const plugin of ["npm:x@1", "jsr:@a/b", "https://example.com/p.ts"]) {
      assert.equal(one({ plugin }).plugin.url, plugin);
    }
  });

  const packages: [string, string, object, string][] = [
    ["only an import condition", "p", { exports: { import: "./in.js" } }, "in.js"],
    [
      "import before require",
      "p",
      { exports: { require: "./no.cjs", import: "./in.js" } },
      "in.js",
    ],
    ["a string as exports", "p", { exports: "./in.js" }, "in.js"],
    ["a main", "p", { main: "in.js" }, "in.js"],
    [
      "a scope and a subpath",
      "@a/p/sub",
      { exports: { "./sub": { default: "./in.js" } } },
      "in.js",
    ],
    ["a pattern", "p/sub", { exports: { "./*": "./lib/*.js" } }, "lib/sub.js"],
  ];
  for (const [what, plugin, json, file] of packages) {
    test(`resolvePlugin finds a package with ${what}`, async (t) => {
      const name = plugin.startsWith("@") ? "@a/p" : "p";
      const home = folder(t, {
        "deep/portico.json": services(plugin),
        [`node_modules/${name}/package.json`]: JSON.stringify({ name, type: "module", ...json }),
        [`node_modules/${name}/${file}`]: PLUGIN,
      });
      const url = pathToFileURL(join(home, "node_modules", name, file)).href;
      assert.equal(await urlOf(join(home, "deep")), url);
      const source = await load(join(home, "deep"));
      const [service] = await prepare(expand(source), source);
      assert.equal(service!.plugin.name, "p");
    });
  }
  test("resolveExports prefers the longer pattern, and null closes a subpath", () => {
    const exports = { "./*": "./a/*.js", "./in/*": "./b/*.js", "./in/x": null };
    const known = new Set(["default"]);
    assert.equal(resolveExports(exports, "./in/y", known), "./b/y.js");
    assert.equal(resolveExports(exports, "./z", known), "./a/z.js");
    assert.equal(resolveExports(exports, "./in/x", known), undefined);
  });
});

describe("prepare", () => {
  test("prepare gives a plugin what its schema makes of the options", async (t) => {
    const path = folder(t, {
      "portico.json":
        '{"services":{"s":{"plugin":"./p.ts","listen":"tcp://*:0","options":{"n":2}}}}',
      "p.ts": `
const validate = async (value: { n: number }) => ({ value: { n: value.n * 2, more: true } });
export default { name: "p", transports: ["stream"], start: () => ({ data() {} }),
  options: { "~standard": { version: 1, vendor: "test", validate } } };`,
    });
    const source = await load(path);
    const [service] = await prepare(expand(source), source);
    assert.deepEqual(service!.options, { n: 4, more: true });
  });
});
