import { runDaemon } from "../daemon/run.ts";
import type { CallOf } from "../terminal/commands.ts";

/**
 * Runs a manifest until a signal, or an operator, ends it.
 *
 * @returns 0 after a clean stop.
 * @throws PorticoError when it cannot start; nothing is left behind.
 */
export async function run(call: CallOf<"run">): Promise<number> {
  await runDaemon(call);
  return 0;
}
