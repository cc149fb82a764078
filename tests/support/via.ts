/** A service that tells whom it serves, and by which balancer. */
import { folder } from "./folder.ts";
import type { Scope } from "./scope.ts";
import { manifest, pluginPath, type ServerProcess, startServer } from "./server-process.ts";
import type { StrategyName } from "./strategies.ts";

/** Starts one with the service `s`, whose sessions one worker serves where there are workers. */
export async function serveVia(
  scope: Scope,
  strategy: StrategyName,
  service: Readonly<Record<string, unknown>>,
): Promise<ServerProcess> {
  const workers = strategy === "threads" || strategy === "processes" ? { workers: 1 } : {};
  const s = { plugin: pluginPath("via"), concurrency: { strategy, ...workers }, ...service };
  return await startServer(scope, folder(scope, { "portico.json": manifest({ s }) }));
}
