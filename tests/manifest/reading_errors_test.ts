/** Manifests that cannot be found or read. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { describe, test } from "node:test";
import { PorticoError } from "../../runtime/core/errors.ts";
import { load } from "../../runtime/manifest/load.ts";
import { problemFields } from "../../runtime/values/problem.ts";
import { folder } from "../support/folder.ts";
import { expand } from "../support/manifest.ts";
import { blockOf, refuses, type WrongManifest } from "./errors.ts";

const INVALID: readonly WrongManifest[] = [
  [
    "an empty file",
    "",
    `1:1\n  received  an empty file\n  expected  a manifest: { "services": { … } }`,
  ],
  [
    "a file of comments",
    "// nothing\n",
    `2:1\n  received  an empty file\n  expected  a manifest: { "services": { … } }`,
  ],
  [
    "a missing comma",
    '{\n  "services": {}\n  "sinks": {}\n}',
    `3:3\n  received  "\\"sinks\\""\n  expected  a comma between two entries`,
  ],
  [
    "a missing brace",
    '{ "services": {',
    `1:16\n  received  the end of the file\n  expected  a closing }`,
  ],
  [
    "text without quotes",
    '{ "services": none }',
    `1:15\n  received  "none"\n  expected  a value: text in double quotes, a number, true, false, null, { or [`,
  ],
  [
    "the same key twice",
    '{ "services": {},\n  "services": {} }',
    `2:3  services\n  received  the key "services" a second time\n  expected  each key once in an object`,
  ],
  [
    "objects that lie too deep in each other",
    `{ "services":\n${'{ "a": '.repeat(5000)}`,
    `2:694\n  received  level 101\n  expected  at most 100 levels of objects and lists in each other`,
  ],
  [
    "a list in a list in a list …",
    "[".repeat(100_000),
    `1:101\n  received  level 101\n  expected  at most 100 levels of objects and lists in each other`,
  ],
  [
    "a key that objects cannot hold",
    '{ "services": { "constructor": {} } }',
    `1:17  services.constructor\n  received  the key "constructor"\n  expected  another name`,
  ],
];

describe("manifest", () => {
  refuses("load", "the manifest cannot be read", INVALID);
});

describe("places", () => {
  const names = "portico.json, portico.jsonc, portico.ts";
  test("load refuses a path where nothing is", async (t) => {
    assert.equal(
      await blockOf(t, {}, "no/such"),
      `error: there is no manifest\n\nno/such\n  received  no such file or folder\n  expected  a manifest, or a folder with ${names}`,
    );
  });
  test("load refuses a folder without a manifest", async (t) => {
    assert.equal(
      await blockOf(t, { "in/other.json": "{}" }, "in"),
      `error: there is no manifest\n\nin\n  received  a folder without a manifest\n  expected  one of ${names} in it`,
    );
  });
  test("load refuses a folder with two manifests", async (t) => {
    assert.equal(
      await blockOf(t, { "in/portico.json": "{}", "in/portico.ts": "" }, "in"),
      "error: the manifest is wrong\n\nin\n  received  a folder with portico.json and portico.ts\n  expected  one of them, or the path of the one to run",
    );
  });
});

describe("modules", () => {
  test("load refuses a portico.ts without a default export", async (t) => {
    assert.equal(
      await blockOf(t, { "portico.ts": "export const a = 1;\n" }),
      "error: the manifest is wrong\n\nportico.ts\n  received  a module without a default export\n  expected  export default defineManifest({ services: { … } })",
    );
  });
  test("load says where a portico.ts throws, without a stack", async (t) => {
    const block = await blockOf(t, { "portico.ts": '\nthrow new Error("bad luck");\n' });
    assert.match(
      block,
      /^error: the manifest cannot be read\n\nportico.ts:2:\d+\n {2}received {2}bad luck\n {2}expected {2}a module that can be imported$/,
    );
  });
  test("load refuses a portico.ts whose objects lie too deep, or in themselves", async (t) => {
    const cyclic = "const a = {}; a.b = [a]; export default { services: a };";
    const place = "level 101, below services.b[0].b[0]";
    assert.equal(
      await blockOf(t, { "portico.ts": cyclic }),
      `error: the manifest is wrong\n\nportico.ts\n  received  ${place}\n  expected  at most 100 levels of objects and lists in each other`,
    );
  });
  test("a problem is a line of its own in records", async (t) => {
    const text =
      '{ "services": {\n "a": { "plugin": 5 },\n "b": { "plugin": "echo", "listen": 7 } } }';
    const file = join(folder(t, { "portico.json": text }), "portico.json");
    const source = await load(file);
    assert.throws(() => expand(source), (error: PorticoError) => {
      const lines = problemFields(error).map(({ message }) => message as string);
      assert.equal(lines.length, 3);
      assert.match(lines[0]!, /portico\.json:2:\d+ services\.a.*: received .*, expected /);
      for (const line of lines) assert.doesNotMatch(line, /\n/);
      return true;
    });
    const other = new PorticoError("START_FAILED", "the start failed:\n  bad luck");
    assert.deepEqual(problemFields(other).map(({ message }) => message), [
      "the start failed: bad luck",
    ]);
  });
  test("load says where a portico.ts is cut, without a stack", async (t) => {
    const block = await blockOf(t, { "portico.ts": "export default {\n  services: {\n" });
    assert.match(
      block,
      /^error: the manifest cannot be read\n\nportico.ts:\d:\d+\n {2}received {2}[^\n]+\n {2}expected {2}a module that can be imported$/,
    );
  });
  test("load names the module that portico.ts cannot import", async (t) => {
    const block = await blockOf(t, { "portico.ts": 'import "./gone.ts";\nexport default {};\n' });
    assert.match(block, /received {2}.*gone\.ts/);
    assert.doesNotMatch(block, /\n {4}at /);
  });
  test("expand names the place in portico.ts by its path", async (t) => {
    assert.equal(
      await blockOf(t, {
        "portico.ts": "export default { services: { a: { plugin: 5, listen: 'tcp://*:0' } } };",
      }),
      "error: the manifest is wrong\n\nportico.ts  services.a.plugin\n  received  5\n  expected  a built-in plugin, a short name, ./path or an npm package",
    );
  });
});
