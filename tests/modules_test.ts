/** Modules of every form, wherever they lie, are imported, and read anew once they have changed. */
import assert from "node:assert/strict";
import { mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { describe, test, type TestContext } from "node:test";
import { pathToFileURL } from "node:url";
import { ModuleVersions } from "../runtime/daemon/module-versions.ts";
import { importModule } from "../runtime/modules/import.ts";
import { folder } from "./support/folder.ts";

/** By name of the file: what it consists of, with a number in it. */
const FORMS: Readonly<Record<string, (version: number) => string>> = {
  "plugin.mjs": (version) => `export default { version: ${version} };`,
  "plugin.ts": (version) => `export default { version: ${version} } as { version: number };`,
  "plugin.cjs": (version) => `module.exports = { version: ${version} };`,
  "plugin.cts": (version) => `const version: number = ${version}; module.exports = { version };`,
  "package/plugin.js": (version) => `exports.version = ${version};`,
  "compiled.cjs": (version) =>
    `Object.defineProperty(exports, "__esModule", { value: true });
exports.default = { version: ${version} };`,
  "package/compiled.js": (version) =>
    `"use strict"; exports.__esModule = true; exports.default = { version: ${version} };`,
};

const FOLDERS = ["plain", "c# app", "100%", "a%20b", "a?b", "ü [x]", "a&b='c'"];

async function versionAt(file: string, versions: ModuleVersions): Promise<unknown> {
  const url = pathToFileURL(file).href;
  const result = await importModule(url, versions.of(url));
  if (!("module" in result)) return result.message;
  return (result.module["default"] as { version?: unknown } | undefined)?.version;
}

function write(file: string, text: string): void {
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, text);
}

for (const name of FOLDERS) {
  describe(`in a folder ${JSON.stringify(name)}`, () => {
    for (const [form, text] of Object.entries(FORMS)) {
      test(`${form} is read anew whenever it has changed, also back`, async (t) => {
        const home = join(folder(t, {}), name);
        const file = join(home, form);
        const versions = new ModuleVersions();
        write(join(home, "package/package.json"), '{ "type": "commonjs" }');
        for (const version of [1, 2, 3, 1, 2]) {
          write(file, text(version));
          assert.equal(await versionAt(file, versions), version);
          assert.equal(await versionAt(file, versions), version, "once more");
        }
      });
    }
  });
}

test("what a CommonJS module requires is read anew with it", async (t) => {
  const home = folder(t, {});
  const versions = new ModuleVersions();
  write(join(home, "plugin.cjs"), 'module.exports = { version: require("./deep/helper.cjs") };');
  write(join(home, "deep/helper.cjs"), 'module.exports = require("./data.json").version;');
  for (const version of [1, 2, 3]) {
    write(join(home, "deep/data.json"), JSON.stringify({ version }));
    assert.equal(await versionAt(join(home, "plugin.cjs"), versions), version);
  }
});

test("an error of a CommonJS module is told, and does not stay", async (t) => {
  const file = join(folder(t, {}), "package/plugin.js");
  const versions = new ModuleVersions();
  write(join(dirname(file), "package.json"), '{ "type": "commonjs" }');
  write(file, "exports.version = 1;");
  assert.equal(await versionAt(file, versions), 1);
  write(file, 'exports.version = 2; throw new Error("it broke");');
  assert.match(String(await versionAt(file, versions)), /it broke/);
  write(file, "exports.version = 3;");
  assert.equal(await versionAt(file, versions), 3);
});

/** A plugin that imports in every way, and what it imports; each with a number in it. */
const IMPORTING: Readonly<Record<string, (version: number) => string>> = {
  "plugin.ts": () =>
    `import { kv } from "./deep/kv.ts";
import data from "./data.json" with { type: "json" };
import common from ${JSON.stringify("./common.cjs")};
import { own } from "#own";
import { beside } from "beside";
export default { version: async () => [kv, data.version, (await import("./late.ts")).late, common.version, own, beside] };`,
  "deep/kv.ts": () => 'export { kv } from "../leaf.ts";',
  "leaf.ts": (version) => `export const kv: number = ${version};`,
  "data.json": (version) => JSON.stringify({ version }),
  "late.ts": (version) => `export const late: number = ${version};`,
  "common.cjs": (version) => `module.exports = { version: ${version}, name: "common" };`,
  "own.ts": (version) => `export const own: number = ${version};`,
  "workspace/beside/beside.ts": (version) => `export const beside: number = ${version};`,
};
const ALL = Object.keys(IMPORTING).slice(2);

function importing(t: TestContext): { home: string; url: string; write(version: number): void } {
  const home = folder(t, {});
  const json = { name: "it", type: "module", imports: { "#own": "./own.ts" } };
  write(join(home, "package.json"), JSON.stringify(json));
  const beside = { name: "beside", type: "module", exports: "./beside.ts" };
  write(join(home, "workspace/beside/package.json"), JSON.stringify(beside));
  mkdirSync(join(home, "node_modules"));
  symlinkSync("../workspace/beside", join(home, "node_modules/beside"));
  return {
    home,
    url: pathToFileURL(join(home, "plugin.ts")).href,
    write(version) {
      for (const [name, text] of Object.entries(IMPORTING)) write(join(home, name), text(version));
    },
  };
}

test("what a module imports is read anew with it, in whatever way it imports", async (t) => {
  const { home, url, write: writeAll } = importing(t);
  const versions = new ModuleVersions();
  const told = async (): Promise<unknown> => {
    const result = await importModule(url, versions.of(url));
    if (!("module" in result)) return result.message;
    return await (result.module["default"] as { version(): Promise<unknown> }).version();
  };
  for (const version of [1, 2, 3, 1, 2]) {
    writeAll(version);
    assert.deepEqual(await told(), Array(6).fill(version));
  }
  // One after the other, and nothing else.
  const state = Array(6).fill(2);
  const names = ["leaf.ts", "data.json", "late.ts", "common.cjs", "own.ts", ALL.at(-1)!];
  for (const [index, name] of names.entries()) {
    write(join(home, name), IMPORTING[name]!(7));
    state[index] = 7;
    assert.deepEqual(await told(), state, name);
  }
});

test("a module that has not changed is the same one for all that import it", async (t) => {
  const home = folder(t, {
    "a.ts": 'import { state } from "./state.ts"; export default { version: state };',
    "b.ts": 'import { state } from "./state.ts"; export default { version: state };',
    "state.ts": 'import "./changes.ts"; export const state: object = {};',
    "changes.ts": "",
  });
  const versions = new ModuleVersions();
  const both = async (): Promise<unknown[]> => {
    return [
      await versionAt(join(home, "a.ts"), versions),
      await versionAt(join(home, "b.ts"), versions),
    ];
  };
  const [first, same] = await both();
  assert.ok(first === same && typeof first === "object");
  write(
    join(home, "b.ts"),
    'import { state } from "./state.ts"; /* 2 */ export default { version: state };',
  );
  assert.deepEqual((await both()).map((state) => state === first), [true, true]);
  write(join(home, "changes.ts"), "export {};");
  const [second, also] = await both();
  assert.ok(second === also && second !== first, "both have the one that was read anew");
});

test("an error in what is imported is told, and does not stay", async (t) => {
  const home = folder(t, {
    "plugin.ts": 'import { kv } from "./kv.ts"; export default { version: kv };',
    "kv.ts": "export const kv = 1;",
  });
  const versions = new ModuleVersions();
  const file = join(home, "plugin.ts");
  assert.equal(await versionAt(file, versions), 1);
  write(join(home, "kv.ts"), 'export const kv = 1; throw new Error("it broke");');
  assert.match(String(await versionAt(file, versions)), /it broke/);
  write(join(home, "kv.ts"), "export const kv = 1;");
  assert.equal(await versionAt(file, versions), 1);
  write(join(home, "kv.ts"), "export const kv = 2;");
  assert.equal(await versionAt(file, versions), 2);
});

test("a package that has changed stays as it was, and is named", async (t) => {
  const home = folder(t, {
    "plugin.mjs": 'import { dep } from "dep"; export default { version: dep };',
    "node_modules/dep/package.json":
      '{ "version": "1.0.0", "type": "module", "exports": "./dep.js" }',
    "node_modules/dep/dep.js": "export const dep = 1;",
  });
  const versions = new ModuleVersions();
  const file = join(home, "plugin.mjs");
  const urls = [pathToFileURL(file).href];
  assert.equal(await versionAt(file, versions), 1);
  assert.deepEqual(versions.changedAndKept(urls), []);
  const dep = join(home, "node_modules/dep");
  write(
    join(dep, "package.json"),
    '{ "version": "2.0.0", "type": "module", "exports": "./dep.js" }',
  );
  write(join(dep, "dep.js"), "export const dep = 2;");
  assert.equal(await versionAt(file, versions), 1);
  assert.deepEqual(versions.changedAndKept(urls), [join(dep, "dep.js")]);
});
