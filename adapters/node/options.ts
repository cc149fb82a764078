/** The options that `node:net` and `node:dgram` can set by themselves; the rest is set by descriptor. */
import type { ListenOptions, Server } from "node:net";
import type { OptionName, SocketOptions } from "../../runtime/core/contract.ts";
import { METHOD_OPTIONS } from "../datagram.ts";
import type { ListenTarget } from "../listen-target.ts";

export const STREAM: readonly OptionName[] = [
  "noDelay",
  "reusePort",
  "mode",
  // Ignored by the node:net of Bun, and by that of Deno.
  ...("Bun" in globalThis ? [] : ["backlog" as const]),
  ...("Deno" in globalThis ? [] : ["keepAlive" as const, "ipv6Only" as const]),
];

export const DATAGRAM: readonly OptionName[] = [
  "receiveBuffer",
  "sendBuffer",
  "reusePort",
  "ipv6Only",
  ...METHOD_OPTIONS,
];

/** How `node:net` and `node:http` are told where to listen. */
export function listenOptions(
  { inherited, path, host, port }: ListenTarget,
  { backlog, reusePort, ipv6Only }: SocketOptions,
): ListenOptions & { readonly fd?: number } {
  return {
    ...(backlog !== undefined && { backlog }),
    ...(inherited !== undefined ? { fd: inherited.fd } : path !== undefined ? { path } : {
      host,
      port,
      ...(reusePort === true && { reusePort }),
      ...(ipv6Only === true && { ipv6Only }),
    }),
  };
}

/** Resolves when a server listens. @throws what it says when it cannot. */
export async function listenOn(
  server: Server,
  where: ListenOptions & { readonly fd?: number },
): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  server.once("error", reject);
  server.listen(where, () => {
    server.off("error", reject);
    resolve();
  });
  await promise;
}
