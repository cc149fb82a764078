/**
 * Datagram sockets whose descriptors the FFI can watch. They are ours from socket(2) on, or
 * inherited: on Node for UDP and Unix, on Bun for Unix; on Deno for what its own cannot do.
 */
import type {
  BindableEndpoint,
  DatagramSocket,
  DatagramTable,
  SocketOptions,
} from "../../runtime/core/contract.ts";
import { bindFailure } from "../errno.ts";
import { BatchSocket } from "./batch-socket.ts";
import { type Libc, openLibc, type ReadWatch } from "./libc.ts";
import { type BoundSocket, openSocket } from "./open-socket.ts";

/**
 * Binds as {@link Adapter.bind} says.
 *
 * @throws PorticoError of side `config`; NOT_SUPPORTED without FFI.
 */
export async function bindThroughFfi(
  endpoint: BindableEndpoint,
  table: DatagramTable,
  options: SocketOptions,
): Promise<DatagramSocket> {
  const libc = await openLibc();
  const bound = await openSocket(libc, endpoint, options, "datagram");
  try {
    return watchedSocket(libc, bound, table);
  } catch (error) {
    bound.file?.release();
    libc.close(bound.fd);
    throw bindFailure(endpoint, error);
  }
}

/** A datagram socket that receives whenever there is something to read. It owns the descriptor and the file. */
export function watchedSocket(
  libc: Libc,
  { fd, address, file }: BoundSocket,
  table: DatagramTable,
): BatchSocket {
  let watching: ReadWatch | undefined;
  let scheduled = false;

  /** No turn of the event loop is lost where there is nothing to wait for. */
  const stopWaiting = (): void => {
    watching?.close();
    watching = undefined;
  };
  const socket = new BatchSocket(libc, table, {
    fd,
    address,
    stopWaiting,
    release(keep) {
      stopWaiting();
      if (!keep) file?.release();
      libc.close(fd);
    },
  });

  const receive = (): void => {
    scheduled = false;
    if (socket.receive()) readable();
    else if (socket.receiving) watching!.rearm();
  };
  // Handlers run in a turn of their own: in the FFI's callback promises would wait for another
  // event, and an exception would end the process.
  const readable = (): void => {
    if (scheduled) return;
    scheduled = true;
    setImmediate(receive);
  };

  watching = libc.watch(fd, readable);
  return socket;
}
