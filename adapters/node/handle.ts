/** What Node keeps in the handles of `node:net`; there is no public way to ask. */
import type { Server, Socket } from "node:net";

/** The descriptor of a server or a socket; -1 where there is none, as on Deno. */
export function descriptorOf(owner: Server | Socket): number {
  return (owner as unknown as { _handle?: { fd?: number } | null })._handle?.fd ?? -1;
}
