/** What editors are told of plugins' options, asked of a validator as they use one. */
import assert from "node:assert/strict";
import { globSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { describe, test } from "node:test";
import { fileURLToPath, pathToFileURL } from "node:url";
import { Ajv } from "ajv";
import { parse } from "jsonc-parser";
import { find, read } from "../runtime/manifest/load.ts";
import { schemaOf, shippedSchema } from "../runtime/manifest/plugin-schemas.ts";
import { sinkCatalog } from "../runtime/sinks/mod.ts";
import { portico } from "./support/command.ts";
import { folder } from "./support/folder.ts";

const ROOT = fileURLToPath(new URL("..", import.meta.url).href);
const validator = (text: string) => new Ajv({ strict: false }).compile(JSON.parse(text) as object);
const shipped = validator(await shippedSchema(sinkCatalog));
const service = (plugin: string, options: unknown, more: object = {}) => ({
  services: { a: { plugin, listen: "tcp://127.0.0.1:0", options, ...more } },
});

describe("the shipped schema", () => {
  const examples = globSync("examples/**/*.json", { cwd: ROOT });
  for (const file of examples) {
    test(`takes ${file}, and so does its own`, async () => {
      const manifest: unknown = parse(readFileSync(join(ROOT, file), "utf8"));
      assert.ok(shipped(manifest), JSON.stringify(shipped.errors));
      const own = await schemaOf(await read(join(ROOT, file)), sinkCatalog, {});
      const check = validator(own.text);
      assert.ok(check(manifest), JSON.stringify(check.errors));
      assert.deepEqual(own.unknown, []);
    });
  }

  const right: readonly (readonly [string, unknown])[] = [
    ["echo", { upper: true }],
    ["echo", { upper: "${UPPER}" }],
    ["proxy", { to: ["tcp://127.0.0.1:80"], idle: "5s", health: { fails: 2 } }],
    ["exec", { command: ["cat"], passEnv: true }],
    ["daytime", {}],
    ["./mine.ts", { whatever: 1 }],
  ];
  for (const [plugin, options] of right) {
    test(`takes ${plugin} with ${JSON.stringify(options)}`, () => {
      assert.ok(shipped(service(plugin, options)), JSON.stringify(shipped.errors));
    });
  }
  const wrong: readonly (readonly [string, unknown, RegExp])[] = [
    ["echo", { upper: 5 }, /options\/upper/],
    ["echo", { uper: true }, /additional/],
    ["proxy", {}, /'to'/],
    ["exec", { command: "cat" }, /options\/command/],
    ["admin", { token: "short" }, /16/],
    ["daytime", { zone: "UTC" }, /additional/],
  ];
  for (const [plugin, options, message] of wrong) {
    test(`refuses ${plugin} with ${JSON.stringify(options)}`, () => {
      assert.ok(!shipped(service(plugin, options)));
      assert.match(JSON.stringify(shipped.errors), message);
    });
  }
  test("tells what each option is for", async () => {
    const text = await shippedSchema(sinkCatalog);
    assert.match(text, /how long one program may run/);
    assert.match(text, /letters of ASCII back in upper case/);
  });
});

/** Modules beside these tests' packages find zod and valibot as any plugin does. */
const FILES = {
  "zod.ts": `import { z } from "zod";
export default {
  name: "zoned", transports: ["stream"], start: () => ({ data() {} }),
  options: z.object({ zone: z.enum(["UTC", "local"]), retries: z.number().int().default(3) }),
};
`,
  "opaque.ts": `export default {
  name: "opaque", transports: ["stream"], start: () => ({ data() {} }),
  options: { "~standard": { version: 1, vendor: "own", validate: (value) => ({ value }) } },
};
`,
  "sink.ts": `import * as v from "valibot";
export default {
  name: "lines", open: () => () => {}, options: v.object({ prefix: v.string() }),
};
`,
  "portico.json": JSON.stringify({
    plugins: { zoned: "./zod.ts", lines: "./sink.ts" },
    services: {
      a: { plugin: "zoned", listen: "tcp://127.0.0.1:0", log: { type: "lines", prefix: "x" } },
      b: { plugin: "./opaque.ts", listen: "${NOT_SET_HERE}" },
    },
  }),
};

describe("portico schema", () => {
  test("knows the options of the plugins and sinks that a manifest names, whatever library they use", async (t) => {
    const home = withPackages(t);
    const { text, unknown } = await schemaOf(await read(find(home)), sinkCatalog, {});
    assert.deepEqual(unknown, ["./opaque.ts"]);
    const check = validator(text);
    assert.ok(check(service("zoned", { zone: "UTC" })), JSON.stringify(check.errors));
    assert.ok(check(service("zoned", { zone: "local", retries: "${RETRIES}" })));
    assert.ok(!check(service("zoned", { zone: "CET" })));
    assert.ok(check(service("./opaque.ts", { anything: 1 })));
    assert.ok(!check(service("echo", { upper: 5 })), "those that come along are known, too");
    const logged = (log: object) => check(service("zoned", { zone: "UTC" }, { log }));
    assert.ok(logged({ type: "lines", prefix: "a", level: "warn" }), JSON.stringify(check.errors));
    assert.ok(!logged({ type: "lines", prefix: 5 }));
  });

  test("prints it, or writes it, and says whose options it does not know", async (t) => {
    const home = withPackages(t);
    const plain = await portico("schema");
    assert.equal(plain.out, await shippedSchema(sinkCatalog));
    const file = join(home, "schema.json");
    const own = await portico("schema", home, "--to", file);
    assert.equal(own.code, 0, own.err);
    assert.equal(own.out, "");
    assert.match(own.err, /^the options of \.\/opaque\.ts are left open: /);
    assert.ok(validator(readFileSync(file, "utf8"))(service("zoned", { zone: "UTC" })));
    const nowhere = await portico("schema", "--to", join(home, "none/schema.json"));
    assert.equal(nowhere.code, 2);
    const missing = folder(t, { "portico.json": JSON.stringify(service("ecoh", {})) });
    assert.match((await portico("schema", missing)).err, /did you mean "echo"/);
  });
});

/** Below this tree, where its packages are found. */
function withPackages(t: Parameters<typeof folder>[0]): string {
  const modules = Object.entries(FILES).map(([name, text]) => {
    const from = (specifier: string) => `from "${pathToFileURL(entryOf(specifier)).href}"`;
    return [name, text.replace(/from "(zod|valibot)"/, (_, specifier: string) => from(specifier))];
  });
  return folder(t, Object.fromEntries(modules) as Record<string, string>);
}

function entryOf(name: string): string {
  const file = join(ROOT, "node_modules", name, "package.json");
  const json = JSON.parse(readFileSync(file, "utf8")) as { module?: string; main?: string };
  return join(dirname(file), json.module ?? json.main!);
}
