/**
 * Datagrams on Bun. `Bun.udpSocket` receives cheaply by itself, and what is answered in one turn of
 * the event loop leaves with one `sendMany`; FFI would gain nothing. It is used for options that
 * Bun has no call for, for Unix datagram sockets, which Bun does not have, and for UDP on every
 * address of the machine: see posix/epoll-thread.ts.
 */
import type {
  BindableEndpoint,
  DatagramSocket,
  DatagramTable,
  OptionName,
  SocketOptions,
} from "../../runtime/core/contract.ts";
import type { Inherited } from "../../runtime/core/descriptors.ts";
import { type InternetEndpoint, isWildcard } from "../../runtime/core/endpoint.ts";
import { setMethodOptions } from "../datagram.ts";
import { bindFailure } from "../errno.ts";
import { bindThroughFfi } from "../posix/ffi-datagram.ts";
import { ffiSupport, openLibc } from "../posix/libc.ts";
import { AF_INET6 } from "../posix/linux.ts";
import { openSocket } from "../posix/open-socket.ts";
import { familyOf } from "../posix/options.ts";
import { openResolved } from "../posix/resolve.ts";
import { DATAGRAM } from "./options.ts";
import { UdpSocket } from "./udp.ts";

/** See {@link Adapter.bind}. */
export async function bind(
  endpoint: BindableEndpoint,
  table: DatagramTable,
  options: SocketOptions,
): Promise<DatagramSocket> {
  // Bun would be given a Unix socket in vain.
  if ("path" in endpoint || endpoint.transport === "unixgram") {
    return await bindThroughFfi(endpoint, table, options);
  }
  // Nor does it tell at which address of the machine a datagram was asked, nor the zone of an address.
  const { host } = "fd" in endpoint ? endpoint.address : endpoint;
  if ((isWildcard(host) || host.includes("%")) && ffiSupport() === true) {
    return await bindThroughFfi(endpoint, table, options);
  }
  try {
    return await bindUdp(endpoint, table, options);
  } catch (error) {
    throw bindFailure(endpoint, error);
  }
}

async function bindUdp(
  endpoint: InternetEndpoint | Inherited,
  table: DatagramTable,
  options: SocketOptions,
): Promise<DatagramSocket> {
  const names = Object.keys(options) as OptionName[];
  const special = names.some((name) => options[name] !== undefined && !DATAGRAM.includes(name));
  if ("fd" in endpoint || (special && ffiSupport() === true)) {
    // Some options belong before bind(2): the socket is ours, and Bun is given its descriptor.
    const libc = await openLibc();
    const { fd, address } = await openSocket(libc, endpoint, options, "datagram");
    const socket = new UdpSocket(table, familyOf(libc, fd) === AF_INET6);
    try {
      await socket.open({ fd } as { hostname?: string }, address);
    } catch (error) {
      libc.close(fd);
      throw error;
    }
    return socket;
  }
  return await openResolved(endpoint, async ({ host, family }) => {
    const socket = new UdpSocket(table, family === 6);
    const bun = await socket.open({ hostname: host, port: endpoint.port });
    try {
      setMethodOptions(bun, options);
    } catch (error) {
      await socket.close();
      throw error;
    }
    return socket;
  });
}
