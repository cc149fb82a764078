/** What an author is told of a plugin's module that cannot be imported, in the same words on every runtime. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { describe, test } from "node:test";
import { pathToFileURL } from "node:url";
import { codeFrame } from "../../runtime/values/code-frame.ts";
import { folder } from "../support/folder.ts";
import { blockOf } from "./errors.ts";

const MANIFEST = `{ "services": { "s": { "plugin": "./p.ts", "listen": ["tcp://*:0"] } } }`;

/** What lies beside the plugin. */
const BESIDE: Readonly<Record<string, string>> = {
  "portico.json": MANIFEST,
  "kv.ts": "export const kv: number = 1;\nexport interface Entry { a: number }\n",
  "deep/index.ts": "export const kv = 1;\n",
  "data.json": "{}",
  "broken.json": '{ "a": 1, }',
  "failing.ts": 'export function fail(): never {\n  throw new TypeError("no luck");\n}\n',
  "node_modules/left-pad/package.json": '{ "exports": "./i.js" }',
  "node_modules/left-pad/i.js": "",
};

/** What, the plugin, where, what is said, and the hint. */
type Mistake = readonly [string, string, string, string, string?];

const MISSING = "an import names a file, with its extension";
const from = (specifier: string): string =>
  `// The keys.\nimport { kv } from "${specifier}";\nexport default kv;`;
const COMPILED = "TypeScript that has to be compiled, and Node only leaves types out";

const MISTAKES: readonly Mistake[] = [
  [
    "an import without extension",
    from("./kv"),
    "p.ts:2:21",
    `there is no file "./kv": ${MISSING}`,
    'did you mean "./kv.ts"?',
  ],
  [
    "an import of what would be compiled",
    from("./kv.js"),
    "p.ts:2:21",
    `there is no file "./kv.js": ${MISSING}`,
    'did you mean "./kv.ts"?',
  ],
  [
    "an import of a name that is nearly there",
    from("./kw.ts"),
    "p.ts:2:21",
    `there is no file "./kw.ts": ${MISSING}`,
    'did you mean "./kv.ts"?',
  ],
  [
    "an import of a folder",
    from("./deep"),
    "p.ts:2:21",
    `"./deep" is a folder: ${MISSING}`,
    'did you mean "./deep/index.ts"?',
  ],
  [
    "an import of a file as if it was a package",
    from("kv.ts"),
    "p.ts:2:21",
    'no package "kv.ts" is installed for HOME/p.ts',
    'did you mean "./kv.ts"?',
  ],
  [
    "a package that is nearly installed",
    from("left-padd"),
    "p.ts:2:21",
    'no package "left-padd" is installed for HOME/p.ts',
    'did you mean "left-pad"?',
  ],
  [
    "a package that is not installed",
    from("@some/thing"),
    "p.ts:2:21",
    'no package "@some/thing" is installed for HOME/p.ts',
    "npm install @some/thing",
  ],
  [
    "a type that is imported as a value",
    'import { kv, Entry } from "./kv.ts";\nexport default kv as unknown as Entry;',
    "p.ts:1:14",
    '"./kv.ts" exports no Entry',
    "it is a type: import { type Entry }",
  ],
  [
    "a name that is not exported",
    'import { kvs } from "./kv.ts";\nexport default kvs;',
    "p.ts:1:10",
    '"./kv.ts" exports no kvs',
    'did you mean "kv"?',
  ],
  [
    "JSON without its type",
    'import data from "./data.json";\nexport default data;',
    "p.ts:1:19",
    "JSON is imported with its type",
    'import data from "./data.json" with { type: "json" }',
  ],
  [
    "an enum",
    "const a = 1;\nexport enum Colour { Red }\nexport default a;",
    "p.ts:2:8",
    `an enum: ${COMPILED}`,
    'write an object: const Colour = { Red: "red" } as const',
  ],
  [
    "a namespace",
    "namespace Inner { export const a = 1; }\nexport default Inner;",
    "p.ts:1:1",
    `a namespace: ${COMPILED}`,
    "write exports of a module of their own",
  ],
  [
    "a parameter property",
    "class A {\n  constructor(private readonly a: number) {}\n}\nexport default A;",
    "p.ts:2:32",
    `a parameter property: ${COMPILED}`,
    "write a field: readonly x: number; constructor(x: number) { this.x = x; }",
  ],
];

/** Bun guesses, and both Bun and Deno compile: what they can import is no mistake there. */
async function canImport(home: string): Promise<boolean> {
  return await import(pathToFileURL(join(home, "p.ts")).href).then(() => true, () => false);
}

describe("a plugin that cannot be imported", () => {
  for (const [what, text, place, message, hint] of MISTAKES) {
    test(`${what} is told with its place and what is right`, async (t) => {
      const files = { ...BESIDE, "p.ts": text };
      if (await canImport(folder(t, files))) return t.skip("this runtime imports it");
      const block = await blockOf(t, files);
      const said = `a module that can be imported. It failed at HOME/${place}: ${message}`;
      const hints = hint === undefined ? "" : `\n  hint      ${hint}`;
      assert.equal(
        block,
        `error: the module is no plugin\n\nportico.json:1:34  services.s.plugin\n  received  "./p.ts"\n  expected  ${said}${hints}`,
      );
    });
  }

  test("what is thrown has the first place in the plugin, and what throws there its own words", async (t) => {
    const text = 'import { fail } from "./failing.ts";\nfail();\nexport default 1;';
    const block = await blockOf(t, { ...BESIDE, "p.ts": text });
    assert.match(block, /It failed at HOME\/failing\.ts:2:\d+: no luck$/);
  });

  test("a syntax error has line and column, also in a module that it imports", async (t) => {
    const files = { ...BESIDE, "q.ts": "export default {\n  start( => {\n};\n" };
    for (const name of ["p.ts", "q.ts"]) {
      const text = name === "p.ts" ? files["q.ts"] : 'import "./q.ts";\nexport default 1;';
      const block = await blockOf(t, { ...files, "p.ts": text });
      assert.match(block, new RegExp(`It failed at HOME/${name}:2:10: .*=>`), block);
    }
  });

  test("JSON that is none is named", async (t) => {
    const text = 'import data from "./broken.json" with { type: "json" };\nexport default data;';
    assert.match(
      await blockOf(t, { ...BESIDE, "p.ts": text }),
      /It failed at HOME\/broken\.json\S*: .*(?:property name|Property name)/,
    );
  });
});

test("codeFrame shows the lines around a place, and nothing that moves the cursor", (t) => {
  const lines = Array.from({ length: 12 }, (_, index) => `line ${index + 1}`);
  lines[9] = "\tconst a = \u001b[31m1;";
  const file = join(folder(t, { "a.ts": lines.join("\r\n") }), "a.ts");
  assert.equal(
    codeFrame({ file, line: 10, column: 8 }),
    "   8 | line 8\n   9 | line 9\n> 10 |  const a =  [31m1;\n     |        ^\n  11 | line 11\n  12 | line 12",
  );
  assert.equal(codeFrame({ file, line: 1 }), "> 1 | line 1\n  2 | line 2\n  3 | line 3");
  assert.equal(codeFrame({ file, line: 13, column: 1 }), undefined);
  assert.equal(codeFrame({ file: `${file}x`, line: 1 }), undefined);
  assert.equal(codeFrame({ file }), undefined);
});
