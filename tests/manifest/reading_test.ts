/** A manifest as it is read: JSON with comments, modules, variables. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { describe, test } from "node:test";
import { substitute } from "../../runtime/manifest/environment.ts";
import { parseJsonc } from "../../runtime/manifest/jsonc.ts";
import { load } from "../../runtime/manifest/load.ts";
import { folder } from "../support/folder.ts";
import { expand } from "../support/manifest.ts";

describe("parseJsonc", () => {
  test("parseJsonc takes comments, trailing commas and a byte order mark", () => {
    const { value } = parseJsonc('\uFEFF{ // one\n /* two */ "a": [1, 2,], }', "/f");
    assert.deepEqual(value, { a: [1, 2] });
  });
  test("locate finds a value, a key, and the nearest thing that is there", () => {
    const { locate } = parseJsonc('{\r\n  "a": {\r\n    "b": [10, 20]\r\n  }\r\n}', "/f");
    assert.deepEqual(locate(["a", "b", 1], "value"), { line: 3, column: 15 });
    assert.deepEqual(locate(["a", "b"], "key"), { line: 3, column: 5 });
    assert.deepEqual(locate(["a", "x", "y"], "value"), { line: 2, column: 8 });
    assert.deepEqual(locate([], "value"), { line: 1, column: 1 });
  });
});

describe("substitute", () => {
  const variables = { PORT: "7007", EMPTY: "" };
  const read = (value: unknown): unknown =>
    substitute(value, variables, (path, received) => assert.fail(`${path.join(".")}: ${received}`));
  test("substitute replaces variables in strings at any depth, and in no key", () => {
    assert.deepEqual(read({ "${PORT}": ["tcp://*:${PORT}", 1, null] }), {
      "${PORT}": ["tcp://*:7007", 1, null],
    });
  });
  test("substitute takes the default of a variable that is not set or empty", () => {
    assert.equal(read("${NO:-a}${EMPTY:-b}${PORT:-c}${NO:-}"), "ab7007");
    assert.equal(read("[${EMPTY}]"), "[]");
  });
  test("substitute leaves $${ as ${", () => {
    assert.equal(read("$${PORT} $PORT"), "${PORT} $PORT");
  });
  test("substitute leaves instances as they are", () => {
    const value = { when: new Date(0) };
    assert.equal((read(value) as typeof value).when, value.when);
  });
});

describe("load", () => {
  const manifest =
    '{ "services": { "e": { "plugin": "echo", "listen": "tcp://127.0.0.1:${P}" } } }';
  for (const name of ["portico.json", "portico.jsonc"]) {
    test(`load finds ${name} in a folder, and reads it by its path`, async (t) => {
      const path = folder(t, { [name]: manifest });
      const source = await load(path, { P: "1" });
      assert.equal(source.file, join(path, name));
      assert.deepEqual((await load(join(path, name), { P: "1" })).value, source.value);
    });
  }
  test("load imports portico.ts and replaces variables in it", async (t) => {
    const path = folder(t, {
      "portico.ts": `const manifest: object = ${manifest};\nexport default manifest;\n`,
    });
    const source = await load(path, { P: "7" });
    assert.equal(expand(source).services[0]!.listen[0]!.text, "tcp://127.0.0.1:7");
  });
});
