/**
 * Streams on `node:net`: Node's own, and what Deno and Bun fall back on for an option that their
 * native listeners lack.
 *
 * - Nothing is made for a connection but one object: the socket's events find it by a property.
 * - Node (libuv) answers EMFILE by closing the newcomer unheard: `posix/guard.ts` pauses before.
 */
import type { AddressInfo, ListenOptions, Server, Socket } from "node:net";
import { closeSync } from "node:fs";
import { createServer } from "node:net";
import type {
  BindableEndpoint,
  Connection,
  Listener,
  SocketOptions,
  StreamTable,
} from "../../runtime/core/contract.ts";
import type { InternetEndpoint } from "../../runtime/core/endpoint.ts";
import { Address, normalizeHost } from "../../runtime/core/endpoint.ts";
import type { PorticoError } from "../../runtime/core/errors.ts";
import { toPorticoError } from "../../runtime/core/errors.ts";
import { bindFailure } from "../posix/failure.ts";
import { guard } from "../posix/guard.ts";
import type { Valve } from "../posix/guard.ts";
import { findDescriptor, setRemaining, stageFile } from "../posix/listen.ts";
import type { StagedFile } from "../posix/listen.ts";
import { resolveHost } from "../posix/resolve.ts";
import { STREAM } from "./options.ts";

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
  /** Nothing is written any more. */
  #sealed = false;
  /** The peer's end came while reading was paused: Node tells it all the same. */
  #endHeld = false;

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
    return this.socket.destroyed ? 0 : this.socket.writableLength;
  }

  write(bytes: Uint8Array): boolean {
    return this.#sealed || this.socket.write(bytes);
  }

  pause(): void {
    this.socket.pause();
  }

  resume(): void {
    this.socket.resume();
    if (!this.#endHeld) return;
    this.#endHeld = false;
    queueMicrotask(() => this.ended());
  }

  /** From the runtime: nothing is left. */
  closed(): void {
    this.#sealed = true;
    this.table.close(this, this.error);
  }

  /** From the runtime: the peer's end. */
  ended(): void {
    if (this.socket.destroyed) return;
    if (this.socket.isPaused()) this.#endHeld = true;
    else this.table.end(this);
  }

  end(): void {
    this.#sealed = true;
    this.socket.end();
  }

  abort(quiet = false): void {
    this.#sealed = true;
    const { socket } = this;
    // Node never closes what is reset while its shutdown(2) is under way; then all has gone out anyway.
    const shutting = socket.writableEnded && socket.writableLength === 0;
    if (quiet || shutting || this.#address.transport === "unix") socket.destroy();
    else socket.resetAndDestroy();
  }
}

function onData(this: Socket, chunk: Uint8Array): void {
  const connection = (this as OwnedSocket)[CONNECTION];
  connection.table.data(connection, chunk);
}

function onEnd(this: Socket): void {
  (this as OwnedSocket)[CONNECTION].ended();
}

function onDrain(this: Socket): void {
  const connection = (this as OwnedSocket)[CONNECTION];
  connection.table.drain(connection);
}

function onError(this: Socket, error: Error): void {
  (this as OwnedSocket)[CONNECTION].error = toPorticoError(error, "ECONNRESET", "peer");
}

function onClose(this: Socket): void {
  (this as OwnedSocket)[CONNECTION].closed();
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

/** As {@link Adapter.listen}, for `tcp` and `unix`. */
export async function listen(
  endpoint: BindableEndpoint,
  table: StreamTable,
  options: SocketOptions,
): Promise<Listener> {
  const file = await stageFile(endpoint);
  const listener = new NodeListener(table, options);
  try {
    listener.address = file?.address ?? listener.address;
    await listener.start({
      ...(options.backlog !== undefined && { backlog: options.backlog }),
      ...(file === undefined ? await placeOf(endpoint as InternetEndpoint) : { path: file.path }),
      ...(options.reusePort === true && { reusePort: true }),
      ...(options.ipv6Only === true && { ipv6Only: true }),
    });
    const { address, descriptor } = listener;
    const fd = descriptor >= 0 ? descriptor : () => findDescriptor(address);
    await setRemaining(fd, endpoint.transport, options, STREAM);
    file?.publish(options.mode);
  } catch (error) {
    await listener.close();
    file?.release();
    throw bindFailure(endpoint, error);
  }
  listener.file = file;
  return listener;
}

class NodeListener implements Listener, Valve {
  address: Address = new Address("tcp", "", 0, "");
  file: StagedFile | undefined = undefined;
  readonly #table: StreamTable;
  readonly #options: SocketOptions;
  #server: Server;
  /** The socket, while it is not the server's. */
  #kept = -1;
  #closed = false;

  constructor(table: StreamTable, options: SocketOptions) {
    this.#table = table;
    this.#options = options;
    this.#server = this.#makeServer();
  }

  /** Node keeps it in the handle; there is no public way to ask. Deno's has none: -1. */
  get descriptor(): number {
    return handleOf(this.#server)?.fd ?? -1;
  }

  async start(where: ListenOptions): Promise<void> {
    await this.#listen(where);
    if (this.address.transport !== "unix") {
      const { address, port } = this.#server.address() as AddressInfo;
      this.address = new Address("tcp", address, port, "");
    }
    guard.add(this);
  }

  shut(kept: number): void {
    this.#kept = kept;
    this.#server.close();
  }

  open(): void {
    const fd = this.#kept;
    this.#kept = -1;
    this.#server = this.#makeServer();
    this.#listen({ fd } as ListenOptions).catch((error) =>
      this.failure(toPorticoError(error, "ACCEPT_FAILED"))
    );
  }

  failure(error: PorticoError): void {
    this.#table.failure(error);
  }

  close(): Promise<void> {
    if (this.#closed) return Promise.resolve();
    this.#closed = true;
    guard.remove(this);
    // Its callback would wait for the connections too; the port is free at once.
    if (this.#kept >= 0) closeSync(this.#kept);
    else if (this.#server.listening) this.#server.close();
    this.file?.release();
    return Promise.resolve();
  }

  #makeServer(): Server {
    const { noDelay, keepAlive = 0 } = this.#options;
    return createServer({
      allowHalfOpen: true,
      noDelay: noDelay ?? true,
      keepAlive: keepAlive > 0,
      keepAliveInitialDelay: keepAlive,
    }, (socket) => {
      // Bun's node:net begins with it on, and believes that it is off.
      if (noDelay === false) socket.setNoDelay(true).setNoDelay(false);
      adopt(socket, this.#table, this.address);
      guard.accepted(handleOf(socket)?.fd ?? -1);
    });
  }

  async #listen(where: ListenOptions): Promise<void> {
    const server = this.#server;
    await new Promise<void>((resolve, reject) => {
      server.once("error", reject);
      server.listen(where, () => {
        server.off("error", reject);
        resolve();
      });
    });
    // From here on an error is an accept that failed.
    server.on("error", (error) => this.failure(toPorticoError(error, "ACCEPT_FAILED", "host")));
  }
}

async function placeOf(endpoint: InternetEndpoint): Promise<ListenOptions> {
  const { port } = endpoint;
  // Without a host it is every address, IPv6 or not.
  return endpoint.host === "*" ? { port } : { port, host: (await resolveHost(endpoint)).host };
}

function handleOf(owner: Server | Socket): { readonly fd?: number } | undefined {
  return (owner as unknown as { _handle?: { fd?: number } | null })._handle ?? undefined;
}
