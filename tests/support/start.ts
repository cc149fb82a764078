/** A server without the command around it. */
import { fileURLToPath } from "node:url";
import { inheritedFor } from "../../runtime/activation/inherited.ts";
import type { Adapter } from "../../runtime/core/contract.ts";
import { type ReadyService, Server } from "../../runtime/daemon/server.ts";

/** Starts services on an adapter. @throws PorticoError that names the service. */
export async function startServer(
  { services, adapter }: { readonly services: readonly ReadyService[]; readonly adapter: Adapter },
): Promise<Server> {
  const server = new Server({
    adapter,
    worker: fileURLToPath(new URL("../../runtime/worker.ts", import.meta.url).href),
    inherit: async ({ endpoint }) => await inheritedFor(endpoint, await adapter.descriptors()),
  });
  await server.start(services);
  return server;
}
