/**
 * Datagrams on Deno, in the first way of these that is open:
 * 1. `Deno.listenDatagram` waits for one without a thread, so it receives the first; the rest of
 *    what has come, and all answers, go through recvmmsg(2) and sendmmsg(2) on the same descriptor.
 *    It needs --unstable-net and the ffi permission.
 * 2. A socket of our own, with a thread that waits: without the flag, for options that belong before
 *    bind(2), and for UDP on every address of the machine. It needs the ffi permission.
 * 3. For UDP `Deno.listenDatagram` alone, see udp.ts; it needs the flag. For Unix sockets it will
 *    not do: while one peer's queue is full it sends to nobody.
 * 4. For UDP node:dgram.
 */
import type {
  BindableEndpoint,
  DatagramSocket,
  DatagramTable,
  NamedEndpoint,
  SocketOptions,
} from "../../runtime/core/contract.ts";
import { Address, type InternetEndpoint, isWildcard } from "../../runtime/core/endpoint.ts";
import { PorticoError } from "../../runtime/core/errors.ts";
import { toKernelPath, udpAddress } from "../addresses.ts";
import { bindFailure } from "../errno.ts";
import { bindDgram } from "../node/dgram.ts";
import { BatchSocket } from "../posix/batch-socket.ts";
import { buffersOf } from "../posix/batch-buffers.ts";
import { bindThroughFfi } from "../posix/ffi-datagram.ts";
import { descriptorOf, descriptorsOf } from "../posix/find-descriptor.ts";
import { ffiSupport, type Libc, openLibc } from "../posix/libc.ts";
import { AF_UNIX } from "../posix/linux.ts";
import { applyByDescriptor } from "../posix/options.ts";
import { DATAGRAM_MAX } from "../posix/receive-batch.ts";
import { openResolved } from "../posix/resolve.ts";
import { type ClaimedPath, claimPath, withFileMode } from "../posix/socket-file.ts";
import { duplicate } from "../posix/passing.ts";
import { encodedAddressReader, receiveLoop, type Receiver } from "./receive.ts";
import { DenoUdpSocket } from "./udp.ts";

function hasListenDatagram(): boolean {
  return typeof Deno.listenDatagram === "function";
}

/**
 * Deno does not tell at which address of the machine the datagram was asked that it has received, nor
 * the zone of an address.
 */
function lacksAddresses(endpoint: NamedEndpoint): boolean {
  return "host" in endpoint && (isWildcard(endpoint.host) || endpoint.host.includes("%"));
}

/** See {@link Adapter.bind}. */
export async function bind(
  endpoint: BindableEndpoint,
  table: DatagramTable,
  options: SocketOptions,
): Promise<DatagramSocket> {
  if ("fd" in endpoint) return await bindThroughFfi(endpoint, table, options);
  if (ffiSupport() === true) {
    // What Deno's own sockets do without saying is not set again: `ipv6Only: false`.
    const early = options.reusePort === true || options.ipv6Only === true;
    if (early || lacksAddresses(endpoint) || !hasListenDatagram()) {
      return await bindThroughFfi(endpoint, table, options);
    }
    return await bindBatched(endpoint, table, options, await openLibc());
  }
  if ("path" in endpoint) return await bindThroughFfi(endpoint, table, options);
  const plain = Object.values(options).every((value) => value === undefined);
  if (plain && hasListenDatagram()) return await bindUnbatched(endpoint, table);
  return await bindDgram(endpoint, table, options, true);
}

async function bindUnbatched(
  endpoint: InternetEndpoint,
  table: DatagramTable,
): Promise<DatagramSocket> {
  try {
    const connection = await listenUdp(endpoint);
    return new DenoUdpSocket(connection, addressOf(connection, endpoint), table);
  } catch (error) {
    throw bindFailure(endpoint, error);
  }
}

function listenUdp(endpoint: InternetEndpoint): Promise<Deno.DatagramConn> {
  const { port } = endpoint;
  return openResolved(
    endpoint,
    ({ host }) => Deno.listenDatagram({ transport: "udp", hostname: host, port }),
  );
}

async function bindBatched(
  endpoint: NamedEndpoint,
  table: DatagramTable,
  options: SocketOptions,
  libc: Libc,
): Promise<DatagramSocket> {
  let file: ClaimedPath | undefined;
  let connection: Deno.DatagramConn | undefined;
  let others: ReadonlySet<number> = ownDescriptors;
  try {
    if ("path" in endpoint) {
      file = await claimPath(endpoint, "datagram");
      // A socket that somebody else listens on by now may have had this name too.
      others = descriptorsOf(libc, new Address("unixgram", "", 0, endpoint.path));
      const { path } = endpoint;
      connection = withFileMode(options.mode, () => listenUnix(path));
      // Deno leaves the file behind when it closes.
      file.publish(options.mode);
    } else {
      connection = await listenUdp(endpoint);
    }
    const address = addressOf(connection, endpoint);
    const fd = descriptorOf(libc, "datagram", address, others);
    if (fd < 0) {
      throw new PorticoError("NOT_SUPPORTED", "the descriptor of Deno's socket is not found");
    }
    await applyByDescriptor(fd, "path" in endpoint ? "unixgram" : "udp", options);
    return batched(libc, connection, fd, address, file, table);
  } catch (error) {
    file?.release();
    connection?.close();
    throw bindFailure(endpoint, error);
  }
}

/** Descriptors of our sockets: another one of the same name cannot be one of them. */
const ownDescriptors = new Set<number>();

function batched(
  libc: Libc,
  connection: Deno.DatagramConn,
  fd: number,
  address: Address,
  file: ClaimedPath | undefined,
  table: DatagramTable,
): DatagramSocket {
  ownDescriptors.add(fd);
  /** What it goes on sending with, when Deno's own is closed. */
  let spare = -1;

  async function end(): Promise<void> {
    connection.close();
    // Deno keeps the descriptor until the receive that is under way has come back.
    await looping;
    ownDescriptors.delete(fd);
  }

  const socket = new BatchSocket(libc, table, {
    fd,
    address,
    stopWaiting() {
      // A receive that waits would take the next datagram: there is no other way to call it back.
      spare = duplicate(libc, fd);
      socket.changeDescriptor(spare);
      return end();
    },
    release(keep) {
      if (!keep) file?.release();
      if (spare < 0) return end();
      libc.close(spare);
    },
  });
  const receiver: Receiver = {
    size: socket.family === AF_UNIX ? DATAGRAM_MAX : 65536,
    sender: encodedAddressReader(socket.family, buffersOf(libc).peers),
    deliver: (bytes, from) => void socket.receive(bytes, from),
    fail: (error) => table.failure(socket, error),
  };
  // It ends when the connection is closed.
  const looping = receiveLoop(connection, receiver);
  return socket;
}

/** `mode` limits the umask while the file is made, so that it is never open to more. */
function listenUnix(path: string): Deno.DatagramConn {
  return Deno.listenDatagram({ transport: "unixpacket", path: toKernelPath(path) });
}

function addressOf(connection: Deno.DatagramConn, endpoint: NamedEndpoint): Address {
  if ("path" in endpoint) return new Address("unixgram", "", 0, endpoint.path);
  const { hostname, port } = connection.addr as Deno.NetAddr;
  return udpAddress(hostname, port);
}
