/**
 * Who the peer of a stream is, asked of the kernel in one call: a runtime may make two of it, one for the
 * host and one for the port.
 */
import { Address, type Transport } from "../../runtime/core/endpoint.ts";
import { type Libc, openLibc } from "./libc.ts";
import { AF_INET } from "./linux.ts";
import { NAME_BYTES, readStreamName } from "./sockaddr.ts";

const name = new Uint8Array(new ArrayBuffer(NAME_BYTES));
const words = new Int32Array(name.buffer);

/** The host that was read last, which is mostly the next one's. */
let lastWord = 0;
let lastHost = "0.0.0.0";

/** @param fd of a socket that is connected. Undefined where it is so no more, and for what is no address. */
export type PeerOf = (fd: number, transport: Transport) => Address | undefined;

/** @throws PorticoError as {@link openLibc}. */
export async function openPeers(): Promise<PeerOf> {
  const libc = await openLibc();
  return (fd, transport) => read(libc, fd, transport);
}

function read(libc: Libc, fd: number, transport: Transport): Address | undefined {
  const size = libc.getpeername(fd, name);
  if (size <= 2) return undefined;
  if ((words[0]! & 0xffff) !== AF_INET) {
    const { host, port } = readStreamName(name, size);
    return new Address(transport, host, port, "");
  }
  const word = words[1]!;
  if (word !== lastWord) {
    lastWord = word;
    lastHost = `${name[4]}.${name[5]}.${name[6]}.${name[7]}`;
  }
  return new Address(transport, lastHost, name[2]! << 8 | name[3]!, "");
}
