/** What is not loaded before it is needed: by its static imports, so that no clock is asked. */
import assert from "node:assert/strict";
import { globSync, readFileSync } from "node:fs";
import * as net from "node:net";
import { dirname, join, relative } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { command, runToEnd } from "./support/command.ts";

const root = fileURLToPath(new URL("..", import.meta.url).href);

/** All modules that a module leads to by static imports, ours by their paths, others by their names. */
function reach(...entries: readonly string[]): Set<string> {
  const found = new Set<string>();
  const waiting = entries.map((entry) => join(root, entry));
  for (let file = waiting.pop(); file !== undefined; file = waiting.pop()) {
    const place = relative(root, file).replaceAll("\\", "/");
    if (found.has(place)) continue;
    found.add(place);
    const source = readFileSync(file, "utf8");
    for (
      const [, specifier = ""] of source.matchAll(
        /^(?:import|export)\s(?!type\b)[^;]*?\bfrom\s+"([^"]+)"/gm,
      )
    ) {
      if (specifier.startsWith(".")) waiting.push(join(dirname(file), specifier));
      else found.add(specifier);
    }
  }
  return found;
}

test("a server without workers loads nothing of theirs", () => {
  const modules = reach("runtime/cli/run.ts");
  assert.ok(modules.has("runtime/strategies/mod.ts"), "the way was followed");
  for (const name of ["executor", "launch", "pool", "dispatcher", "handle"]) {
    assert.ok(!modules.has(`runtime/workers/${name}.ts`), name);
  }
});

test("a worker on Bun and Deno loads no node:net and no node:fs", () => {
  for (const runtime of ["bun", "deno"]) {
    const modules = reach(
      "runtime/workers/process.ts",
      "adapters/session-adapter.ts",
      `adapters/${runtime}/runtime.ts`,
      `adapters/${runtime}/connect.ts`,
      `adapters/posix/ffi-${runtime}.ts`,
      "adapters/posix/passing.ts",
    );
    assert.ok(modules.has("node:process"), "the way was followed");
    const costly = [...modules].filter((name) => /^node:(?:net|fs|util|worker_threads)/.test(name));
    assert.deepEqual(costly, [], runtime);
  }
});

test("a lock on a path needs no node:net where the runtime has sockets of its own", () => {
  assert.ok(!reach("adapters/posix/path-lock.ts").has("node:net"));
});

test("no module of a runtime is imported whole, which the package would load at each start", () => {
  const files = globSync(["runtime", "adapters", "plugins"].map((name) => `${name}/**/*.ts`), {
    cwd: root,
  });
  const whole = files.flatMap((file) =>
    [
      ...readFileSync(join(root, file), "utf8").matchAll(
        /^import (?:\w+|\* as \w+)(?:, \{[^}]*\})? from "(node:[\w/]+)"/gm,
      ),
    ].map(([, name]) => name)
  );
  // It is asked for its cache of compiled code before anything else; `process` is there.
  assert.deepEqual(new Set(whole), new Set(["node:process", "node:module"]));
});

const isNode = !("Deno" in globalThis) && !("Bun" in globalThis);

test("Node, which binds the sockets of its servers itself, loads no resolver for an address", {
  skip: isNode && net.BoundSocket !== undefined ? false : "there is no net.BoundSocket here",
}, async () => {
  const { code, out, err } = await runToEnd(command(join(root, "tests/support/listening.ts")));
  assert.equal(code, 0, err);
  const { modules, port } = JSON.parse(out) as { modules: string[]; port: number };
  assert.ok(port > 0);
  assert.ok(modules.includes("NativeModule net"), "modules are listed");
  assert.ok(!modules.includes("NativeModule dns"));
});

test("servers of a cluster's processes share a port, as those of Node do", {
  skip: isNode ? false : "only Node has the cluster here",
}, async () => {
  const { code, out, err } = await runToEnd(command(join(root, "tests/support/clustered.ts")));
  assert.equal(code, 0, err);
  const [first, second] = JSON.parse(out) as [number, number];
  assert.ok(first > 0);
  assert.equal(second, first);
});
