/** Manifests whose plugins are not there, are none, or refuse their options. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { blockOf, PLUGINS } from "./errors.ts";

/** The manifest of one service whose plugin is ./p.ts, or another. */
function withPlugin(plugin = "./p.ts", rest = ""): string {
  return `{ "services": { "s": {\n  "plugin": "${plugin}",\n  "listen": ["tcp://*:0"]${rest}\n} } }`;
}

const GOOD = `name: "p", transports: ["stream"], start: () => ({ data() {} })`;
/** What, the module, and the rows from `expected` on. */
const FLAWS: [string, string, string][] = [
  [
    "no default export",
    "export const a = 1;",
    "a default export: export default definePlugin({ name, transports, start })",
  ],
  [
    "a number as default export",
    "export default 5;",
    "export default definePlugin({ name, transports, start }); its default export is 5\n  at        p.ts:1:1",
  ],
  [
    "another api",
    `export default { ${GOOD}, api: 2 };`,
    `a plugin of API 1, the one that this version speaks; it has "api": 2
  hint      it was written for a newer Portico: upgrade Portico, or install a version of the plugin for API 1
  at        p.ts:1:83`,
  ],
  [
    "no name",
    `export default { transports: ["stream"], start() {} };`,
    'a plugin with a "name" of letters, digits, - and _; it has nothing',
  ],
  [
    "an unknown transport",
    `export default { name: "p", transports: ["tcp"], start() {} };`,
    `a plugin whose "transports" is a list out of "stream", "datagram" and "http"; it has ["tcp"]
  hint      "tcp" is a transport of endpoints: "stream" serves it
  at        p.ts:1:29`,
  ],
  [
    "no start",
    `export default { name: "p", transports: ["stream"] };`,
    'a plugin whose "start" is a function; it has nothing',
  ],
  [
    "a scope that is none",
    `export default { ${GOOD}, scope: "worker" };`,
    'a plugin whose "scope" is "service", or absent; it has "worker"\n  at        p.ts:1:83',
  ],
  [
    "options that are no schema",
    `export default { ${GOOD}, options: { a: 1 } };`,
    'a plugin whose "options" is a Standard Schema (valibot, zod, arktype …); it has {"a":1}\n  at        p.ts:1:83',
  ],
  [
    "an api that is a text",
    `export default { ${GOOD}, api: "1" };`,
    `a plugin of API 1, the one that this version speaks; it has "api": "1"
  hint      did you mean 1, without quotes?
  at        p.ts:1:83`,
  ],
  [
    "an api that there is not",
    `export default { ${GOOD}, api: 0 };`,
    `a plugin of API 1, the one that this version speaks; it has "api": 0
  hint      there is no such API: the plugin's author has to write 1
  at        p.ts:1:83`,
  ],
  [
    "a transport in the place of transports",
    `export default {\n  name: "p",\n  transport: ["stream"],\n  start() {} };`,
    `a plugin with the keys name, transports, options, fits, probe, keepsDatagrams, keepsChunks, takes, scope, datagramRate, api, start; it has "transport"
  hint      did you mean "transports"?
  at        p.ts:3:3`,
  ],
  [
    "hooks beside the name",
    `export default { name: "p", transports: ["stream"],\n data(session, chunk) {} };`,
    `a plugin whose "start" is a function; it has nothing
  hint      hooks go into what start returns: start: () => ({ data(…) { … } })
  at        p.ts:2:2`,
  ],
  [
    "a plugin that is not the default export",
    `export const shout = { ${GOOD} };`,
    `a default export: export default definePlugin({ name, transports, start })
  hint      it exports shout: export default shout, or export { shout as default }
  at        p.ts:1:14`,
  ],
  [
    "a class as default export",
    "export default class Shout { data() {} }",
    "export default definePlugin({ name, transports, start }); its default export is a class Shout\n  at        p.ts:1:1",
  ],
  [
    "a function as default export",
    `const a = 1;\nexport default function make() { return { ${GOOD} }; }`,
    "export default definePlugin({ name, transports, start }); its default export is a function make\n  at        p.ts:2:1",
  ],
  [
    "a promise as default export",
    `export default Promise.resolve({ ${GOOD} });`,
    "export default definePlugin({ name, transports, start }); its default export is a promise\n  hint      export default await …\n  at        p.ts:1:1",
  ],
  [
    "an object with the plugin in it",
    `export default { shout: { ${GOOD} } };`,
    'export default definePlugin({ name, transports, start }); its default export is an object with the plugin in "shout"\n  hint      export the plugin itself\n  at        p.ts:1:1',
  ],
  [
    "a fits that is no function",
    `export default { ${GOOD}, fits: true };`,
    'a plugin whose "fits" is a function; it has true\n  at        p.ts:1:83',
  ],
  [
    "a fits that throws",
    `export default { ${GOOD}, fits() { throw new Error("oops"); } };`,
    'a plugin whose "fits" works; it threw: oops',
  ],
  [
    "a fits that returns a promise",
    `export default { ${GOOD}, fits: async () => undefined };`,
    'a plugin whose "fits" returns a text, or undefined; it returned {}',
  ],
  [
    "a schema that throws",
    `export default { ${GOOD}, options: { "~standard": { validate() { throw new Error("oops"); } } } };`,
    "a plugin whose options schema works; it threw: oops",
  ],
];

describe("plugins", () => {
  for (
    const [concurrency, received, several] of [
      ['"spawn"', "spawn", "each session has a state of its own"],
      [
        '{ "strategy": "threads", "workers": 3 }',
        "threads with 3 workers",
        "each of the 3 workers has a state of its own",
      ],
      [
        '{ "strategy": "processes", "workers": 2 }',
        "processes with 2 workers",
        "each of the 2 workers has a state of its own",
      ],
    ] as const
  ) {
    test(`prepare refuses ${received} for a plugin that has one state`, async (t) => {
      const block = await blockOf(t, {
        "portico.json": withPlugin("./p.ts", `,\n  "concurrency": ${concurrency}`),
        "p.ts": `export default { ${GOOD}, scope: "service" };`,
      });
      assert.equal(
        block.split("\n\n").at(-1),
        `portico.json:4:18  services.s.concurrency\n  received  ${received}\n  expected  "serial", "async" or 1 worker: the plugin p keeps one state for all sessions, and here ${several}`,
      );
    });
  }

  test("resolvePlugin suggests the nearest name for one that it does not know", async (t) => {
    assert.equal(
      await blockOf(t, { "portico.json": withPlugin("ecoh") }),
      `error: the plugin cannot be found\n\nportico.json:2:13  services.s.plugin\n  received  "ecoh"\n  ${PLUGINS}\n  hint      did you mean "echo"?`,
    );
  });
  test("resolvePlugin suggests ./ for a file that lies there", async (t) => {
    const block = await blockOf(t, { "portico.json": withPlugin("p.ts"), "p.ts": "" });
    assert.match(block, /\n {2}hint {6}did you mean "\.\/p\.ts"\?$/);
  });
  test("resolvePlugin takes no module of the runtime for a package", async (t) => {
    const block = await blockOf(t, { "portico.json": withPlugin("fs") });
    assert.match(block, /^error: the plugin cannot be found\n/);
  });
  test("resolvePlugin names the path where nothing is", async (t) => {
    assert.equal(
      await blockOf(t, { "portico.json": withPlugin() }),
      'error: the plugin cannot be found\n\nportico.json:2:13  services.s.plugin\n  received  "./p.ts", and HOME/p.ts does not exist\n  expected  the path of a module, relative to the manifest',
    );
  });
  test("resolvePlugin says what a short name stands for", async (t) => {
    const text = withPlugin("own").replace("{", '{ "plugins": { "own": "./in" },');
    const block = await blockOf(t, { "portico.json": text, "in/x": "" });
    assert.match(block, /received {2}"own", short for "\.\/in", and HOME\/in is a folder\n/);
  });
  for (const [what, text, expected] of FLAWS) {
    test(`loadPlugin refuses ${what}`, async (t) => {
      const block = await blockOf(t, { "portico.json": withPlugin(), "p.ts": text });
      assert.equal(
        // What has thrown there has a column, which differs.
        block.replace(/\n {2}at {8}p\.ts:1:\d+$/, (at) => expected.includes("\n  at ") ? at : ""),
        `error: the module is no plugin\n\nportico.json:2:13  services.s.plugin\n  received  "./p.ts"\n  expected  ${expected}`,
      );
    });
  }
  test("loadPlugin says where a plugin's module throws, without a stack", async (t) => {
    const block = await blockOf(t, {
      "portico.json": withPlugin(),
      "p.ts": '\n\nthrow new Error("no luck");',
    });
    assert.match(
      block,
      /expected {2}a module that can be imported\. It failed at HOME\/p\.ts:3:\d+: no luck$/,
    );
  });
  test("loadPlugin shows the message of a syntax error, without a stack", async (t) => {
    const block = await blockOf(t, { "portico.json": withPlugin(), "p.ts": "export default {\n" });
    assert.match(
      block,
      /expected {2}a module that can be imported\. It failed at HOME\/p\.ts:\d.*: .+$/,
    );
    assert.doesNotMatch(block, /\n {4}at /);
  });
  test("loadPlugin refuses a package that was written for another api", async (t) => {
    const block = await blockOf(t, {
      "portico.json": withPlugin("pkg"),
      "node_modules/pkg/package.json": '{ "exports": "./p.js", "portico": { "api": 2 } }',
      "node_modules/pkg/p.js": `export default { ${GOOD} };`,
    });
    assert.equal(
      block,
      'error: the module is no plugin\n\nportico.json:2:13  services.s.plugin\n  received  "pkg"\n  expected  "portico": { "api": 1 } in HOME/node_modules/pkg/package.json; it says 2\n  hint      it was written for a newer Portico: upgrade Portico, or install a version of the plugin for API 1',
    );
  });
  test("loadPlugin says who can import https:, where this runtime cannot", async (t) => {
    const block = await blockOf(t, { "portico.json": withPlugin("https://127.0.0.1:1/p.ts") });
    assert.match(
      block,
      /^error: the plugin cannot be found\n[^]*expected {2}a module that this runtime can fetch \(https: works on Deno; elsewhere install the package and name it\): /,
    );
  });
  test("checkOptions refuses options that the schema rejects, by their path", async (t) => {
    assert.equal(
      await blockOf(t, {
        "portico.json": withPlugin("./p.ts", ',\n  "options": { "a": [1, "x"] }'),
        "p.ts": `
const issues = [{ message: "a number is needed", path: ["a", { key: 1 }] }];
export default { ${GOOD}, options: { "~standard": { version: 1, vendor: "t", validate: () => ({ issues }) } } };`,
      }),
      'error: the plugin rejects its options\n\nportico.json:4:25  services.s.options.a[1]\n  received  "x"\n  expected  a number is needed',
    );
  });
  test("checkOptions refuses options of a plugin that takes none", async (t) => {
    assert.equal(
      await blockOf(t, {
        "portico.json": withPlugin("./p.ts", ',\n  "options": { "a": 1 }'),
        "p.ts": `export default { ${GOOD} };`,
      }),
      'error: the plugin rejects its options\n\nportico.json:4:14  services.s.options\n  received  {"a":1}\n  expected  no options: the plugin p takes none',
    );
  });
  test("prepare refuses an endpoint that the plugin does not serve", async (t) => {
    assert.equal(
      await blockOf(t, {
        "portico.json": withPlugin().replace('"tcp://*:0"', '"tcp://*:0", "udp://*:0"'),
        "p.ts": `export default { ${GOOD} };`,
      }),
      'error: the manifest is wrong\n\nportico.json:3:27  services.s.listen[1]\n  received  "udp://*:0", a datagram endpoint\n  expected  a stream endpoint: the plugin p serves no other',
    );
  });
  test("prepare tells of all plugins that are wrong", async (t) => {
    const block = await blockOf(t, {
      "portico.json": `{ "services": {
  "a": { "plugin": "./a.ts", "listen": "tcp://*:0" },
  "b": { "plugin": "./b.ts", "listen": "tcp://*:0" } } }`,
      "a.ts": "export default 1;",
      "b.ts": "export default 2;",
    });
    assert.match(block, /^error: the module is no plugin \(2 problems\)\n/);
    assert.match(block, /portico\.json:2:20 [^]*portico\.json:3:20 /);
  });
});
