import { resolve } from "node:path";
import process from "node:process";
import { runDaemon } from "../daemon/run.ts";
import { load } from "../manifest/load.ts";
import type { CallOf } from "../terminal/commands.ts";

/**
 * Runs a manifest until a signal, or an operator, ends it.
 *
 * @returns 0 after a clean stop.
 * @throws PorticoError when it cannot start; nothing is left behind.
 */
export async function run(call: CallOf<"run">): Promise<number> {
  const { json, watch, stats } = call;
  // The folder that a relative one starts from may be gone when it is asked for again.
  const path = resolve(call.path);
  await runDaemon({
    read: (versionOf) => load(path, process.env, versionOf),
    words: ["run", path],
    json,
    watch,
    stats,
  });
  return 0;
}
