/**
 * Datagrams on Node. node:dgram knows no Unix sockets and takes one datagram for each callback, so
 * the sockets are our own through FFI: node:ffi on Node 26, koffi on Node 24, watched by libuv on
 * the runtime's event loop. Without FFI there is node:dgram for UDP.
 */
import type {
  BindableEndpoint,
  DatagramSocket,
  DatagramTable,
  SocketOptions,
} from "../../runtime/core/contract.ts";
import { bindThroughFfi } from "../posix/ffi-datagram.ts";
import { ffiSupport } from "../posix/libc.ts";

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
  const { bindDgram } = await import("./dgram.ts");
  return await bindDgram(endpoint, table, options);
}
