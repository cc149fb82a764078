/** Programs by `node:child_process`, where they inherit what they are given and no more. */
import { spawn as spawnChild } from "node:child_process";
import type { Child, Program } from "../../runtime/core/process.ts";

/** See {@link Spawn}. */
export function spawn({ path, args, cwd, env, fd, stderr }: Program): Child {
  return spawnChild(path, args, {
    cwd,
    env: { ...env },
    stdio: [fd, fd, stderr === "fd" ? fd : stderr],
    detached: true,
  });
}
