/**
 * Datagram sockets that are ours from socket(2) on, where the FFI can watch a descriptor: on Node
 * for UDP and Unix, on Bun for Unix.
 */
import type {
  BindableEndpoint,
  DatagramSocket,
  DatagramTable,
  SocketOptions,
} from "../../runtime/core/contract.ts";
import { BatchSocket, exchangeOf } from "./datagram.ts";
import { bindFailure } from "./failure.ts";
import { openLibc, type Watch } from "./libc.ts";
import { openDatagram } from "./open.ts";

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
  const { fd, file } = opened;
  let watch: Watch | undefined;
  let scheduled = false;

  const socket = new BatchSocket(exchangeOf(libc), table, {
    ...opened,
    async release() {
      // No turn of the event loop is lost where there is nothing to wait for.
      const ending = watch?.close();
      if (ending !== undefined) await ending;
      libc.close(fd);
      file?.release();
    },
  });

  const drain = (): void => {
    scheduled = false;
    if (socket.drain()) readable();
    else if (!socket.closed) watch!.rearm();
  };
  // Handlers run in a turn of their own: in the FFI's callback promises would wait for another
  // event, and an exception would end the process.
  const readable = (): void => {
    if (scheduled) return;
    scheduled = true;
    setImmediate(drain);
  };

  try {
    watch = libc.watch!(fd, readable);
  } catch (error) {
    await socket.close();
    throw bindFailure(endpoint, error);
  }
  return socket;
}
