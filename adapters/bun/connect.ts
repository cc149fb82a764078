/** Connections that no listener of ours has accepted, on `Bun.connect`: made by us, or taken by descriptor. */
import type { StreamTable } from "../../runtime/core/contract.ts";
import { Address, isTcp } from "../../runtime/core/endpoint.ts";
import { tcpAddress, toKernelPath, UNNAMED_UNIX } from "../addresses.ts";
import type { Connect } from "../connect.ts";
import type { Adopt } from "../posix/passing.ts";
import { SOL_TCP, TCP_NODELAY } from "../posix/linux.ts";
import { BunConnection, EVENTS, NOBODY } from "./connection.ts";

/** What a socket has in `data` until it is open. */
interface Expected {
  readonly table: StreamTable;
  readonly data: unknown;
  readonly noDelay: boolean;
  /** Undefined: the socket knows. */
  readonly local: Address | undefined;
  readonly remote: Address | undefined;
  /** Nobody waits for it any more. */
  readonly attempt: { readonly late: boolean };
}

/** One table for all of them. */
const HANDLERS: Bun.SocketHandler<BunConnection> = {
  ...EVENTS,
  open(socket) {
    const { table, data, noDelay, local, remote, attempt: { late } } = socket
      .data as unknown as Expected;
    const bound = local ?? tcpAddress(socket.localAddress, socket.localPort);
    const context = { table: late ? NOBODY : table, noDelay, bound };
    const connection = new BunConnection(socket, context, remote, data);
    socket.data = connection;
    // Bun sets it; a listener may have been told not to.
    if (!noDelay) socket.setNoDelay(false);
    if (late) connection.abort();
    else table.open(connection);
  },
};

const IN_TIME = { late: false };

/** `fd` is not in Bun's types. */
type ConnectTarget = { readonly unix: string } | {
  readonly hostname: string;
  readonly port: number;
} | {
  readonly fd: number;
};

function open(where: ConnectTarget, data: Expected): Promise<unknown> {
  const options = { ...where, allowHalfOpen: true, data, socket: HANDLERS };
  return Bun.connect(options as unknown as Parameters<typeof Bun.connect>[0]);
}

/** See {@link Connect}. */
export const connect: Connect = async (endpoint, table, data, attempt) => {
  const { promise: late, reject } = Promise.withResolvers<never>();
  attempt.giveUp = () => reject("ETIMEDOUT");
  const expected = { table, data, noDelay: true, local: undefined, remote: undefined, attempt };
  const connecting = "path" in endpoint
    ? open({ unix: toKernelPath(endpoint.path) }, {
      ...expected,
      local: UNNAMED_UNIX,
      remote: new Address("unix", "", 0, endpoint.path),
    })
    : open({ hostname: endpoint.host, port: endpoint.port }, expected);
  await Promise.race([connecting, late]);
};

const word = new Int32Array(new ArrayBuffer(4));
const wordBytes = new Uint8Array(word.buffer);

/** See {@link Adopt}. */
export const adopt: Adopt = async (libc, fd, { local, remote }, table, data) => {
  const noDelay = !isTcp(local.transport) ||
    libc.getsockopt(fd, SOL_TCP, TCP_NODELAY, wordBytes) < 0 || word[0] !== 0;
  await open({ fd }, { table, data, noDelay, local, remote, attempt: IN_TIME });
};
