/**
 * Datagrams on Bun. Bun knows no Unix datagram sockets, makes a string of each sender and parses one
 * for each answer, and does not tell at which address a datagram was asked: the sockets are our own
 * through FFI, which Bun's event loop waits for (see posix/loop-bun.ts). Without FFI there is
 * `Bun.udpSocket` for UDP.
 */
import type {
  BindableEndpoint,
  DatagramSocket,
  DatagramTable,
  SocketOptions,
} from "../../runtime/core/contract.ts";
import { setMethodOptions } from "../datagram.ts";
import { bindFailure } from "../errno.ts";
import { bindThroughFfi } from "../posix/ffi-datagram.ts";
import { ffiSupport } from "../posix/libc.ts";
import { openResolved } from "../posix/resolve.ts";
import { openUdp } from "./udp.ts";

/** See {@link Adapter.bind}. */
export async function bind(
  endpoint: BindableEndpoint,
  table: DatagramTable,
  options: SocketOptions,
): Promise<DatagramSocket> {
  // What is there already can be taken over by its descriptor alone.
  if ("path" in endpoint || "fd" in endpoint || ffiSupport() === true) {
    return await bindThroughFfi(endpoint, table, options);
  }
  try {
    return await openResolved(endpoint, async ({ host }) => {
      const { socket, bun } = await openUdp(host, endpoint.port, table);
      try {
        setMethodOptions(bun, options);
      } catch (error) {
        await socket.close();
        throw error;
      }
      return socket;
    });
  } catch (error) {
    throw bindFailure(endpoint, error);
  }
}
