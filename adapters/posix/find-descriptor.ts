/**
 * Finding the descriptor of a socket that a runtime keeps to itself, as Deno does: every descriptor
 * is asked for its name, getsockname(2). That needs no access to /proc, which Deno guards.
 */
import type { Address } from "../../runtime/core/endpoint.ts";
import { type Libc, openLibc } from "./libc.ts";
import { EBADF, SO_ACCEPTCONN, SO_TYPE, SOCK_DGRAM, SOCK_STREAM, SOL_SOCKET } from "./linux.ts";
import { NAME_BYTES, readName } from "./sockaddr.ts";

/** How far descriptors are looked through: a new one is the lowest that is free. */
const HIGHEST = 65536;
/** After so many descriptors that are none, there are no more. */
const GAP = 1024;

/** All the datagram sockets of this process that have a name, as descriptors. */
export function descriptorsOf(libc: Libc, address: Address): Set<number> {
  const found = new Set<number>();
  for (;;) {
    const fd = descriptorOf(libc, "datagram", address, found);
    if (fd < 0) return found;
    found.add(fd);
  }
}

const word = new Int32Array(new ArrayBuffer(4));
const bytes = new Uint8Array(word.buffer);
const name = new Uint8Array(new ArrayBuffer(NAME_BYTES));

/**
 * The descriptor of the socket of this process that is bound to an address.
 *
 * @param kind a datagram socket, or a listening stream socket.
 * @param except descriptors that are known to be others.
 * @returns -1 when there is none.
 */
export function descriptorOf(
  libc: Libc,
  kind: "datagram" | "listener",
  address: Address,
  except?: ReadonlySet<number>,
): number {
  const type = kind === "datagram" ? SOCK_DGRAM : SOCK_STREAM;
  for (let fd = 0, gap = 0; fd < HIGHEST && gap < GAP; fd++) {
    const found = libc.getsockopt(fd, SOL_SOCKET, SO_TYPE, bytes);
    gap = found === -EBADF ? gap + 1 : 0;
    if (found < 0 || word[0] !== type || except?.has(fd) === true) continue;
    if (kind === "listener") {
      libc.getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, bytes);
      if ((word[0] as number) === 0) continue;
    }
    const size = libc.getsockname(fd, name);
    if (size < 0) continue;
    const bound = readName(name, size);
    if (bound.host !== address.host || bound.port !== address.port) continue;
    if (bound.path === address.path) return fd;
  }
  return -1;
}

/** The descriptor of a listener whose runtime does not tell it; -1 when there is none. */
export async function findDescriptor(address: Address): Promise<number> {
  return descriptorOf(await openLibc(), "listener", address);
}
