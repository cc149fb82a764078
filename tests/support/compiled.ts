/** Executables for tests. */
import assert from "node:assert/strict";
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { insideOf } from "../../runtime/compile/inside.ts";
import { plant } from "../../runtime/compile/tree.ts";
import { sinkTypes } from "../../runtime/sinks/mod.ts";
import { type CommandResult, portico } from "./command.ts";
import { MODULES } from "./package.ts";
import type { Scope } from "./scope.ts";

const MAIN = "main.mjs";

/**
 * Makes one of the manifest in the folder `app`. Deno makes executables of a program that it downloads, `denort`.
 * Where that cannot be had, it still has to take the folder; what is in it is run by deno itself, which is told that
 * it is the executable.
 *
 * @returns a note where that is so.
 */
export async function compileOn(
  scope: Scope,
  app: string,
  runtime: string,
  file: string,
): Promise<string | undefined> {
  const compile = (): Promise<CommandResult> =>
    portico("compile", app, "--to", file, "--runtime", runtime);
  const result = await compile();
  if (result.code === 0) return undefined;
  assert.equal(runtime, "deno", result.err);
  assert.match(result.err, /^error: the executable cannot be made\n\ndeno could not make it:/);
  assert.match(result.err, /denort/, "nothing but this is wrong");
  process.env["DENORT_BIN"] = "/bin/true";
  try {
    const taken = await compile();
    assert.equal(taken.code, 0, taken.err);
  } finally {
    delete process.env["DENORT_BIN"];
  }
  const tree = mkdtempSync(join(tmpdir(), "portico-tree-"));
  scope.after(() => rmSync(tree, { recursive: true, force: true }));
  plant(tree, await insideOf(join(app, "portico.json"), sinkTypes, {}), "0.1.0");
  const told = `import process from "node:process";
process.execPath = ${JSON.stringify(file)};
await import(${JSON.stringify(`./${MAIN}`)});
`;
  writeFileSync(join(tree, "told.mjs"), told);
  const flags = "-A --no-check --unstable-net --unstable-no-legacy-abort";
  const program = join(MODULES, ".bin/deno");
  writeFileSync(file, `#!/bin/sh\nexec ${program} run ${flags} ${join(tree, "told.mjs")} "$@"\n`);
  chmodSync(file, 0o755);
  return "by deno run: denort cannot be had here";
}
