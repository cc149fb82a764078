/** Connections by descriptor. `Bun.connect` takes one; it is not in the types. */
import type { StreamTable } from "../../runtime/core/contract.ts";
import type { Origin } from "../../runtime/core/descriptors.ts";
import { type Libc, openLibc } from "../posix/libc.ts";
import { readyConnection, refuse } from "../posix/inherited.ts";
import { SOL_TCP, TCP_NODELAY } from "../posix/linux.ts";
import { BunConnection, EVENTS } from "./connection.ts";

/** What a socket has in `data` until it is open. */
interface Newcomer {
  readonly origin: Origin;
  readonly table: StreamTable;
  readonly data: unknown;
  readonly noDelay: boolean;
}

/** One table for all of them. */
const HANDLERS: Bun.SocketHandler<BunConnection> = {
  ...EVENTS,
  open(socket) {
    const { origin, table, data, noDelay } = socket.data as unknown as Newcomer;
    const context = { table, noDelay, bound: origin.local };
    const connection = new BunConnection(socket, context, origin.remote, data);
    socket.data = connection;
    // Bun sets it; the listener may have been told not to.
    if (!noDelay) socket.setNoDelay(false);
    table.open(connection);
  },
};

const word = new Int32Array(new ArrayBuffer(4));
const bytes = new Uint8Array(word.buffer);
let libc: Libc | undefined;

/** As {@link Descriptors.adopt}. */
export async function adopt(
  fd: number,
  origin: Origin,
  table: StreamTable,
  data: unknown,
): Promise<void> {
  await readyConnection(fd);
  libc ??= await openLibc();
  const tcp = origin.local.transport === "tcp";
  const noDelay = !tcp || libc.getOption(fd, SOL_TCP, TCP_NODELAY, bytes) < 0 || word[0] !== 0;
  const newcomer: Newcomer = { origin, table, data, noDelay };
  const options = { fd, allowHalfOpen: true, data: newcomer, socket: HANDLERS };
  try {
    await Bun.connect(options as unknown as Parameters<typeof Bun.connect>[0]);
  } catch (error) {
    throw await refuse(fd, error);
  }
}
