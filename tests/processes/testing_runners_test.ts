/** `portico/testing` in the test runners that people use, from a folder outside of this one. */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { test, type TestContext } from "node:test";
import { fileURLToPath } from "node:url";
import { folder } from "../support/folder.ts";

const root = fileURLToPath(new URL("../..", import.meta.url).href);
const modules = join(root, "node_modules");

/** What all runners are given: one test that holds, and one that does not. */
const CASES = `
import { definePlugin } from "portico";
import { everyWay, open } from "portico/testing";

const shout = definePlugin({
  name: "shout",
  transports: ["stream", "datagram"],
  start: () => ({
    data: (session, chunk) => void session.write(new TextDecoder().decode(chunk).toUpperCase()),
  }),
});

test("it holds", async () => {
  await using service = await open(shout, { limits: { idle: "30s" } });
  const peer = service.connect();
  peer.send("hello");
  await peer.expect("HELLO");
  await service.clock.advance("40s");
  if ((await peer.closed).reason !== "idle") throw new Error("no deadline");
  await everyWay(shout, [{ send: "hello", expect: "HELLO" }]);
});

test("it does not", async () => {
  await everyWay(shout, [{ send: "hello", expect: "HELL." }]);
});
`;

const TEST_OF_NODE = `import { test } from "node:test";`;

/** Each with how it is started, from the folder of the tests. */
const RUNNERS = {
  "node --test": { program: "node/bin/node", words: ["--test"], head: TEST_OF_NODE },
  "bun test": { program: ".bin/bun", words: ["test"], head: `import { test } from "bun:test";` },
  "deno test": {
    program: ".bin/deno",
    words: ["test", "-A", "--no-check", "--unstable-net", "--node-modules-dir=manual"],
    head: `const { test } = Deno;`,
  },
} as const;

/** A folder of an author's, with this checkout as a package. */
function project(
  t: TestContext,
  head: string,
  files: Readonly<Record<string, string>> = { "shout.test.ts": `${head}\n${CASES}` },
): string {
  const path = folder(t, { "package.json": `{ "type": "module" }`, ...files });
  mkdirSync(join(path, "node_modules"));
  symlinkSync(root, join(path, "node_modules/portico"));
  return path;
}

function run(program: string, words: readonly string[], cwd: string): Promise<string> {
  // The runner that runs this test must not be its parent's.
  const { NODE_TEST_CONTEXT: _, ...env } = process.env;
  const settings = { cwd, env: { ...env, NO_COLOR: "1" }, timeout: 120_000 };
  return new Promise((resolve) => {
    execFile(program, words, settings, (_error, out, err) => resolve(`${out}${err}`));
  });
}

/** One holds, one fails, and is told with the place in the test and the difference. */
function check(printed: string): void {
  assert.match(printed, /over tcp, strategy serial, each send as one piece:/);
  assert.match(printed, /expected {2}"HELL\."\n\s*received {2}"HELLO"/);
  assert.match(printed, /shout\.test\.ts:\d+:\d+/);
  assert.match(printed, /\b1 failed|fail 1\b|1 fail\b/);
  assert.match(printed, /\b1 passed|pass 1\b|1 pass\b/);
}

// Each runner once is enough: which runtime runs this test makes no difference to it.
const own = process.versions["bun"] !== undefined
  ? "bun test"
  : process.versions["deno"] !== undefined
  ? "deno test"
  : "node --test";

test(`portico/testing in ${own}`, async (t) => {
  const { program, words, head } = RUNNERS[own];
  check(await run(join(modules, program), words, project(t, head)));
});

test("the examples of the guide hold", {
  skip: own === "bun test" && "node:test of bun has no mock timers",
}, async (t) => {
  const guide = readFileSync(join(root, "docs/guide/testing.md"), "utf8");
  const files = [...guide.matchAll(/```ts\n\/\/ (\S+)\n([\s\S]*?)```/g)];
  assert.equal(files.length, guide.split("```ts").length - 1);
  const path = project(t, "", Object.fromEntries(files.map(([, name, text]) => [name!, text!])));
  const { program, words } = RUNNERS[own];
  const printed = await run(join(modules, program), words, path);
  assert.match(printed, /pass(ed)? \d|\d+ passed/);
  assert.doesNotMatch(printed, /not ok|[1-9]\d* failed|fail [1-9]|FAILED/, printed);
});

test("portico/testing in vitest", {
  skip: own !== "node --test" && "vitest is a program of Node",
}, async (t) => {
  const path = project(t, `import { test } from "vitest";`);
  writeFileSync(join(path, "package.json"), `{ "type": "module", "private": true }`);
  const words = ["install", "--no-audit", "--no-fund", "--prefer-offline", "--prefix", "runner"];
  const said = await run("npm", [...words, "vitest@4.1.12"], path);
  if (!/added \d+ packages/.test(said)) return t.skip(`vitest cannot be installed: ${said}`);
  symlinkSync("../runner/node_modules/vitest", join(path, "node_modules/vitest"));
  const node = join(modules, RUNNERS["node --test"].program);
  check(await run(node, ["runner/node_modules/vitest/vitest.mjs", "run"], path));
});
