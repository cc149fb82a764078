/** The options that `node:net` and `node:dgram` can set by themselves; the rest is set by descriptor. */
import type { BoundSocket, ListenOptions, Server, Socket } from "node:net";
import process from "node:process";
import type { OptionName, SocketOptions } from "../../runtime/core/contract.ts";
import { METHOD_OPTIONS } from "../datagram.ts";
import { keepAliveProbes, protection } from "../keep-alive.ts";
import type { ListenTarget } from "../listen-target.ts";
import { ffiSupport } from "../posix/libc.ts";

/** Whether keep-alive is set for each connection: that of Node alone takes all values. */
const byMethod = ffiSupport() !== true && !("Deno" in globalThis) && !("Bun" in globalThis);

/** Sets `keepAlive` where it cannot be the listener's. */
export function setKeepAlive(socket: Socket, options: SocketOptions): void {
  if (!byMethod) return;
  const { keepAlive = 0 } = { ...protection(options), ...options };
  if (keepAlive === 0) return;
  const { idle, interval, count } = keepAliveProbes(keepAlive);
  // The last two are not in the types yet.
  const set: (on: boolean, ...more: number[]) => unknown = socket.setKeepAlive;
  set.call(socket, true, 1000 * idle, 1000 * interval, count);
}

export const STREAM: readonly OptionName[] = [
  "noDelay",
  "reusePort",
  "mode",
  // Ignored by the node:net of Bun, and by that of Deno.
  ...("Bun" in globalThis ? [] : ["backlog" as const]),
  ...("Deno" in globalThis ? [] : ["ipv6Only" as const]),
  // By descriptor it is the listener's, and so every connection's from the start.
  ...(byMethod ? ["keepAlive" as const] : []),
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
  const bound = bind(where);
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const listening = (): void => {
    server.off("error", reject);
    resolve();
  };
  server.once("error", reject);
  if (bound === undefined) server.listen(where, listening);
  else server.listen(bound, where.backlog, listening);
  await promise;
}

/**
 * A socket that is bound already, where Node makes one. Given an address, `listen` loads the resolver for it, and
 * looks whether it is one of IPv6, by an expression that takes V8 a tenth of a start: a bound socket is spared both.
 *
 * @throws what Node says when it cannot be bound.
 */
function bind({ host, port, ipv6Only, reusePort }: ListenOptions): BoundSocket | undefined {
  // Not every runtime has it, and an import of all would load all at each start of the package.
  const { BoundSocket } = process.getBuiltinModule("node:net");
  if (host === undefined || BoundSocket === undefined) return;
  // Of a cluster, whose processes have a channel, the sockets are its primary's.
  if (process.send !== undefined && process.getBuiltinModule("node:cluster").isWorker) return;
  return new BoundSocket({
    host,
    port: port!,
    ...(ipv6Only !== undefined && { ipv6Only }),
    ...(reusePort !== undefined && { reusePort }),
  });
}
