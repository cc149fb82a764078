/** Has a runtime make the executable. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { renameSync, rmSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import process from "node:process";
import { compiler, type RuntimeName } from "../adapter.ts";
import { messageOf, PorticoError } from "../core/errors.ts";
import type { Tree } from "./tree.ts";

/**
 * Makes an executable of a tree. Beside its place first: what is there may be running, and stays when
 * this fails.
 *
 * @param target another system, in the runtime's own words.
 * @throws PorticoError COMPILE_FAILED with what the runtime said; NOT_SUPPORTED without the runtime.
 */
export async function build(
  runtime: RuntimeName,
  tree: Tree,
  file: string,
  target: string | undefined,
): Promise<void> {
  const beside = join(dirname(file), `.${basename(file)}.${process.pid}`);
  try {
    const [program, ...words] = compiler(runtime, tree, beside, target);
    await run(program, words, tree.folder, `${runtime} could not make it`);
    // What runs on another machine can be tried there alone.
    if (target === undefined) await run(beside, ["--version"], dirname(file), "it does not start");
    renameSync(beside, file);
  } finally {
    rmSync(beside, { force: true });
  }
}

/** @throws PorticoError COMPILE_FAILED with what the program said. */
async function run(
  program: string,
  words: readonly string[],
  cwd: string,
  what: string,
): Promise<void> {
  const child = spawn(program, words, {
    cwd,
    stdio: ["ignore", "pipe", "pipe"],
    env: { ...process.env, NO_COLOR: "1" },
  });
  let said = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => said += text);
  child.stderr.setEncoding("utf8").on("data", (text: string) => said += text);
  let code: unknown;
  try {
    [code] = await once(child, "close");
  } catch (error) {
    said = messageOf(error);
  }
  if (code === 0) return;
  const lines = said.replace(/\n+Stack backtrace:.*/s, "").trim().split("\n")
    .filter((line) => line.trim() !== "").slice(0, 10);
  throw new PorticoError("COMPILE_FAILED", [`${what}:`, ...lines].join("\n  "));
}
