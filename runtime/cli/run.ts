import { resolve } from "node:path";
import { runDaemon } from "../daemon/run.ts";
import type { CallOf } from "../terminal/commands.ts";
import { readerOf, wordsOf } from "./one-service.ts";

/**
 * Runs a manifest, or one service, until a signal, or an operator, ends it.
 *
 * @returns 0 after a clean stop.
 * @throws PorticoError when it cannot start; nothing is left behind.
 */
export async function run(call: CallOf<"run">): Promise<number> {
  const { json, watch, stats } = call;
  // The folder that a relative one starts from may be gone when it is asked for again.
  const said = { ...call, path: resolve(call.path) };
  await runDaemon({
    read: readerOf(said),
    words: ["run", ...wordsOf(said)],
    json,
    watch,
    stats,
  });
  return 0;
}
