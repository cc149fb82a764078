/** Modules of every form, wherever they lie, are imported, and read anew once they have changed. */
import assert from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { describe, test } from "node:test";
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
