import { loadAdapter } from "../adapter.ts";
import { passedSockets } from "../activation/mod.ts";
import { messageOf } from "../core/errors.ts";
import { Daemon } from "../daemon/daemon.ts";
import { read } from "../daemon/reading.ts";
import { isSuccessor, receiveHandover } from "../daemon/upgrade.ts";
import type { RunCall } from "../terminal/args.ts";

/**
 * Runs a manifest until a signal, or an operator, ends it.
 *
 * @returns 0 after a clean stop.
 * @throws PorticoError when it cannot start; nothing is left behind.
 */
export async function run(call: RunCall): Promise<number> {
  // The adapter is loaded while the manifest is read: a start is mostly waiting for modules.
  const loading = loadAdapter();
  loading.catch(() => {});
  // systemd's variables are read, and taken out of what children see, before anything is started.
  passedSockets();
  const predecessor = isSuccessor() ? await receiveHandover(await loading) : undefined;
  try {
    const reading = await read(call.path, call.json);
    await using daemon = await Daemon.assemble(call, reading, await loading, predecessor);
    await daemon.start();
    await daemon.stop(await daemon.ended);
    return 0;
  } catch (thrown) {
    // What goes wrong in the clearing up says less than what has led to it.
    const error: unknown = thrown instanceof SuppressedError ? thrown.suppressed : thrown;
    await predecessor?.failed(messageOf(error));
    throw error;
  }
}
