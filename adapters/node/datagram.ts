/**
 * Datagrams on Node. node:dgram knows no Unix sockets and takes one datagram for each callback, so
 * the sockets are our own through FFI: node:ffi on Node 26, koffi on Node 24, watched by libuv on
 * the runtime's event loop. Without FFI there is node:dgram for UDP.
 */
import type {
  BindableEndpoint,
  DatagramSocket,
  DatagramTable,
  OptionName,
  SocketOptions,
  Support,
} from "../../runtime/core/contract.ts";
import type { DatagramFeatures } from "../posix/features.ts";
import { ffiSupport } from "../posix/libc.ts";
import { optionTable } from "../posix/options.ts";
import { bindWatched } from "../posix/watched.ts";

/** Options that node:dgram cannot set. */
const BY_DESCRIPTOR: ReadonlySet<OptionName> = new Set(["device", "dscp"]);

/** What can be done here; it opens nothing. */
export function datagramFeatures(): DatagramFeatures {
  const ffi = ffiSupport();
  const option = (name: OptionName, transport: string): Support =>
    transport === "unixgram" || BY_DESCRIPTOR.has(name) ? ffi : true;
  return {
    transports: { udp: true, unixgram: ffi },
    options: optionTable(["udp", "unixgram"], option),
  };
}

/** See {@link Adapter.bind}. */
export async function bind(
  endpoint: BindableEndpoint,
  table: DatagramTable,
  options: SocketOptions,
): Promise<DatagramSocket> {
  if ("path" in endpoint || ffiSupport() === true) {
    return await bindWatched(endpoint, table, options);
  }
  const { bindDgram } = await import("./dgram.ts");
  return await bindDgram(endpoint, table, options);
}
