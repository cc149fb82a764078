/** Connections of our own making, on `Bun.connect`. */
import type { NamedEndpoint, StreamTable } from "../../runtime/core/contract.ts";
import { Address, normalizeHost } from "../../runtime/core/endpoint.ts";
import { connectFailure } from "../errno.ts";
import { BunConnection, EVENTS } from "./connection.ts";

/** What a socket has in `data` until it is open. */
interface Newcomer {
  readonly endpoint: NamedEndpoint;
  readonly table: StreamTable;
  readonly data: unknown;
  /** Nobody waits for it any more. */
  late: boolean;
}

const HANDLERS: Bun.SocketHandler<BunConnection> = {
  ...EVENTS,
  open(socket) {
    const newcomer = socket.data as unknown as Newcomer;
    const { endpoint, table, data, late } = newcomer;
    const connection = new BunConnection(
      socket,
      { table: late ? NOBODY : table, noDelay: true, bound: localOf(socket, endpoint) },
      "path" in endpoint ? new Address("unix", "", 0, endpoint.path) : undefined,
      data,
    );
    socket.data = connection;
    if (late) connection.abort();
    else table.open(connection);
  },
};

const NOBODY: StreamTable = {
  open() {},
  data() {},
  drain() {},
  end() {},
  close() {},
  failure() {},
};

/** As {@link Adapter.connect}. */
export async function connect(
  endpoint: NamedEndpoint,
  table: StreamTable,
  data: unknown,
  timeout?: number,
): Promise<void> {
  const newcomer: Newcomer = { endpoint, table, data, late: false };
  const { promise: timedOut, reject } = Promise.withResolvers<never>();
  const timer = timeout === undefined ? undefined : setTimeout(() => {
    newcomer.late = true;
    reject("ETIMEDOUT");
  }, timeout);
  const shared = {
    allowHalfOpen: true,
    data: newcomer as unknown as BunConnection,
    socket: HANDLERS,
  };
  try {
    const connecting = "path" in endpoint
      ? Bun.connect({ ...shared, unix: endpoint.path.replace(/^@/, "\0") })
      : Bun.connect({ ...shared, hostname: endpoint.host, port: endpoint.port });
    await Promise.race([connecting, timedOut]);
  } catch (error) {
    throw connectFailure(endpoint, error);
  } finally {
    clearTimeout(timer);
  }
}

function localOf(socket: Bun.Socket<BunConnection>, endpoint: NamedEndpoint): Address {
  if ("path" in endpoint) return new Address("unix", "", 0, "");
  return new Address("tcp", normalizeHost(socket.localAddress ?? ""), socket.localPort, "");
}
