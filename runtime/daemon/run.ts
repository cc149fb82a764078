import { loadAdapter } from "../adapter.ts";
import { passedSockets } from "../activation/mod.ts";
import { messageOf } from "../core/errors.ts";
import { Daemon, type DaemonOptions } from "./daemon.ts";
import { loadManifest } from "./loaded-manifest.ts";
import { requireDescriptors } from "../strategies/descriptors.ts";
import { isSuccessor, receiveHandover } from "./upgrade.ts";

/**
 * Runs a manifest until a signal, or an operator, ends it.
 *
 * @throws PorticoError when it cannot start; nothing is left behind, and a predecessor goes on.
 */
export async function runDaemon(options: DaemonOptions): Promise<void> {
  // The adapter is loaded while the manifest is read: a start is mostly waiting for modules.
  const loading = loadAdapter();
  loading.catch(() => {});
  // systemd's variables are read, and taken out of what children see, before anything is started.
  passedSockets();
  const predecessor = isSuccessor() ? await receiveHandover(await loading) : undefined;
  try {
    const manifest = await loadManifest(options.read, options);
    requireDescriptors(manifest.plan.services, await loading);
    await using daemon = await Daemon.assemble(options, manifest, await loading, predecessor);
    await daemon.start();
    await daemon.stop(await daemon.ended);
  } catch (thrown) {
    // What goes wrong in the clearing up says less than what has led to it.
    const error: unknown = thrown instanceof SuppressedError ? thrown.suppressed : thrown;
    await predecessor?.failed(messageOf(error));
    throw error;
  }
}
