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
import { BatchSocket, exchangeOf } from "./datagram.ts";
import { bindFailure } from "../errno.ts";
import { type Libc, openLibc, type ReadWatch } from "./libc.ts";
import { openDatagram, type Opened } from "./open.ts";

/**
 * Binds as {@link Adapter.bind} says.
 *
 * @throws PorticoError of side `config`; NOT_SUPPORTED without FFI.
 */
export async function bindWatched(
  endpoint: BindableEndpoint,
  table: DatagramTable,
  options: SocketOptions,
): Promise<DatagramSocket> {
  const libc = await openLibc();
  const opened = await openDatagram(libc, endpoint, options);
  try {
    return watch(libc, opened, table);
  } catch (error) {
    libc.close(opened.fd);
    opened.file?.release();
    throw bindFailure(endpoint, error);
  }
}

/** A datagram socket that is drained whenever there is something to read. It owns what was opened. */
export function watch(libc: Libc, opened: Opened, table: DatagramTable): BatchSocket {
  const { fd, file } = opened;
  let watching: ReadWatch | undefined;
  let scheduled = false;

  /** No turn of the event loop is lost where there is nothing to wait for. */
  const halt = (): Promise<void> | undefined => {
    const ending = watching?.close();
    watching = undefined;
    return ending;
  };
  const socket = new BatchSocket(exchangeOf(libc), table, {
    ...opened,
    halt,
    async release(keep) {
      const ending = halt();
      if (ending !== undefined) await ending;
      libc.close(fd);
      if (!keep) file?.release();
    },
  });

  const drain = (): void => {
    scheduled = false;
    if (socket.drain()) readable();
    else if (socket.receiving) watching!.rearm();
  };
  // Handlers run in a turn of their own: in the FFI's callback promises would wait for another
  // event, and an exception would end the process.
  const readable = (): void => {
    if (scheduled) return;
    scheduled = true;
    setImmediate(drain);
  };

  watching = libc.watch(fd, readable);
  return socket;
}
