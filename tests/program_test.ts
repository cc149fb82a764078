import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { test } from "node:test";
import { commandOn, loadAdapter, type RuntimeName } from "../adapters/mod.ts";
import { folder } from "./support/folder.ts";

const NAMES: readonly RuntimeName[] = ["node", "bun", "deno"];

/** Flags that change nothing here, as each runtime is given them. */
const FLAGS: Readonly<Record<RuntimeName, readonly string[]>> = {
  node: ["--stack-trace-limit=5"],
  bun: ["--smol"],
  deno: ["--v8-flags=--stack-trace-limit=5", "--no-prompt"],
};

const HELLO = `
const name = "Bun" in globalThis ? "bun" : "Deno" in globalThis ? "deno" : "node";
console.log(JSON.stringify([name, ...process.argv.slice(2)]));
`;

const REPEAT = `
import { loadAdapter } from ${JSON.stringify(new URL("../adapters/mod.ts", import.meta.url).href)};
const { command } = await loadAdapter();
console.log(JSON.stringify(command("/somewhere/module.ts", ["one", "two words"])));
`;

/** What a program prints, from JSON. */
function output(program: string, args: readonly string[]): unknown {
  const { status, stdout, stderr } = spawnSync(program, args, { encoding: "utf8" });
  assert.equal(status, 0, stderr);
  return JSON.parse(stdout);
}

test("command runs a module on this runtime", async (t) => {
  const { command, name } = await loadAdapter();
  const module = join(
    folder(t, { "hello.ts": `import process from "node:process";${HELLO}` }),
    "hello.ts",
  );
  const [program, ...args] = command(module, ["one", "two words"]);
  assert.deepEqual(output(program, args), [name, "one", "two words"]);
});

for (const name of NAMES) {
  test(`commandOn runs a module on ${name}`, (t) => {
    const place = folder(t, { "hello.ts": `import process from "node:process";${HELLO}` });
    const [program, ...args] = commandOn(name, join(place, "hello.ts"), ["one", "two words"]);
    assert.deepEqual(output(program, args), [name, "one", "two words"]);
  });

  test(`on ${name} the command has the flags that the process was started with`, (t) => {
    const module = join(folder(t, { "repeat.ts": REPEAT }), "repeat.ts");
    const [program, ...args] = commandOn(name, module, ["an argument"]);
    args.splice(args.indexOf(module), 0, ...FLAGS[name]);
    const again = output(program, args) as string[];
    const before = args.slice(0, args.indexOf(module));
    assert.deepEqual(again.slice(1), [...before, "/somewhere/module.ts", "one", "two words"]);
  });
}

test("a runtime that is not there is named", () => {
  assert.throws(() => commandOn("no-such-runtime" as RuntimeName, "/module.ts", []), {
    code: "NOT_SUPPORTED",
    message: /there is no no-such-runtime.*node_modules.*PATH/,
  });
});
