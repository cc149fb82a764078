/**
 * Streams on `node:net`: Node's own, and what Deno and Bun fall back on for an option that their
 * native listeners lack.
 *
 * - Nothing is made for a connection but one object: the socket's events find it by a property.
 * - Node (libuv) answers EMFILE by closing the newcomer unheard, so no `failure` comes; see
 *   `descriptors.ts` for the watch that reports it.
 */
import type { AddressInfo, ListenOptions, Server, Socket } from "node:net";
import { createServer } from "node:net";
import type {
  BindableEndpoint,
  Connection,
  Listener,
  OptionName,
  SocketOptions,
  StreamTable,
} from "../../runtime/core/contract.ts";
import type { InternetEndpoint } from "../../runtime/core/endpoint.ts";
import { Address, normalizeHost } from "../../runtime/core/endpoint.ts";
import type { PorticoError } from "../../runtime/core/errors.ts";
import { toPorticoError } from "../../runtime/core/errors.ts";
import { bindFailure } from "../posix/failure.ts";
import { setRemaining, stageFile } from "../posix/listen.ts";

/** Where a socket's events find its connection. */
const CONNECTION: unique symbol = Symbol("connection");

type OwnedSocket = Socket & { [CONNECTION]: NodeConnection };

class NodeConnection implements Connection {
  data: unknown = undefined;
  readonly socket: Socket;
  readonly table: StreamTable;
  error: PorticoError | undefined = undefined;
  #address: Address;
  #remote: Address | undefined = undefined;

  constructor(socket: Socket, table: StreamTable, bound: Address) {
    this.socket = socket;
    this.table = table;
    this.#address = bound;
  }

  get remote(): Address {
    return this.#remote ??= this.#address.transport === "unix"
      ? new Address("unix", "", 0, "")
      : new Address(
        "tcp",
        normalizeHost(this.socket.remoteAddress ?? ""),
        this.socket.remotePort ?? 0,
        "",
      );
  }

  get local(): Address {
    const bound = this.#address;
    // Only who listens on every address has to ask which one this is.
    if (bound.transport === "unix" || (bound.host !== "::" && bound.host !== "0.0.0.0")) {
      return bound;
    }
    return new Address("tcp", normalizeHost(this.socket.localAddress ?? ""), bound.port, "");
  }

  get pending(): number {
    return this.socket.writableLength;
  }

  write(bytes: Uint8Array): boolean {
    return this.socket.writable ? this.socket.write(bytes) : true;
  }

  pause(): void {
    this.socket.pause();
  }

  resume(): void {
    this.socket.resume();
  }

  end(): void {
    this.socket.end();
  }

  abort(quiet = false): void {
    if (quiet || this.#address.transport === "unix") this.socket.destroy();
    else this.socket.resetAndDestroy();
  }
}

function onData(this: Socket, chunk: Uint8Array): void {
  const connection = (this as OwnedSocket)[CONNECTION];
  connection.table.data(connection, chunk);
}

function onEnd(this: Socket): void {
  const connection = (this as OwnedSocket)[CONNECTION];
  connection.table.end(connection);
}

function onDrain(this: Socket): void {
  const connection = (this as OwnedSocket)[CONNECTION];
  connection.table.drain(connection);
}

function onError(this: Socket, error: Error): void {
  (this as OwnedSocket)[CONNECTION].error = toPorticoError(error, "ECONNRESET", "peer");
}

function onClose(this: Socket): void {
  const connection = (this as OwnedSocket)[CONNECTION];
  connection.table.close(connection, connection.error);
}

/** Gives a socket of `node:net` to the core. */
export function adopt(socket: Socket, table: StreamTable, bound: Address): void {
  const connection = new NodeConnection(socket, table, bound);
  (socket as OwnedSocket)[CONNECTION] = connection;
  socket.on("error", onError);
  socket.on("close", onClose);
  socket.on("end", onEnd);
  socket.on("drain", onDrain);
  table.open(connection);
  // Reading begins with the first listener, unless `open` has paused the socket.
  socket.on("data", onData);
}

/** What {@link listen} can set by itself; the rest is set by descriptor. */
export const NATIVE: readonly OptionName[] = [
  "backlog",
  "noDelay",
  "keepAlive",
  "reusePort",
  "ipv6Only",
  "mode",
];

/** As {@link Adapter.listen}, for `tcp` and `unix`. */
export async function listen(
  endpoint: BindableEndpoint,
  table: StreamTable,
  options: SocketOptions,
): Promise<Listener> {
  const file = await stageFile(endpoint);
  const context = { address: file?.address ?? new Address("tcp", "", 0, "") };
  const server = createServer({
    allowHalfOpen: true,
    noDelay: options.noDelay ?? true,
    keepAlive: (options.keepAlive ?? 0) > 0,
    keepAliveInitialDelay: options.keepAlive ?? 0,
  }, (socket) => adopt(socket, table, context.address));
  try {
    await opened(server, {
      ...(options.backlog !== undefined && { backlog: options.backlog }),
      ...(file === undefined ? placeOf(endpoint as InternetEndpoint) : { path: file.path }),
      ...(options.reusePort === true && { reusePort: true }),
      ...(options.ipv6Only === true && { ipv6Only: true }),
    });
    if (file === undefined) context.address = addressOf(server);
    await setRemaining(descriptorOf(server), endpoint.transport, options, NATIVE);
    file?.publish(options.mode);
  } catch (error) {
    server.close();
    file?.release();
    throw bindFailure(endpoint, error);
  }
  // From here on an error is an accept that failed.
  server.on("error", (error) => table.failure(toPorticoError(error, "ACCEPT_FAILED", "host")));
  return {
    address: context.address,
    close: () => {
      // Its callback would wait for the connections too; the port is free at once.
      if (server.listening) server.close();
      file?.release();
      return Promise.resolve();
    },
  };
}

function placeOf({ host, port }: InternetEndpoint): ListenOptions {
  return { port, ...(host !== "*" && { host }) };
}

function opened(server: Server, where: ListenOptions): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(where, () => {
      server.off("error", reject);
      resolve();
    });
  });
}

function addressOf(server: Server): Address {
  const { address, port } = server.address() as AddressInfo;
  return new Address("tcp", address, port, "");
}

/** Node keeps it in the handle; there is no public way to ask. */
function descriptorOf(server: Server): number {
  return (server as unknown as { _handle: { fd: number } })._handle.fd;
}
