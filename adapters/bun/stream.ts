/**
 * Stream listeners on `Bun.listen`, which costs 10 % less CPU for a message than `node:net` under Bun
 * and less than half the memory for an idle connection. It ignores `backlog`, which is set by
 * descriptor, and it spins when it runs out of descriptors: `posix/guard.ts` pauses before.
 */
import { closeSync } from "node:fs";
import type {
  BindableEndpoint,
  Listener,
  SocketOptions,
  StreamTable,
} from "../../runtime/core/contract.ts";
import type { InternetEndpoint } from "../../runtime/core/endpoint.ts";
import { Address } from "../../runtime/core/endpoint.ts";
import type { PorticoError } from "../../runtime/core/errors.ts";
import { toPorticoError } from "../../runtime/core/errors.ts";
import { bindFailure } from "../posix/failure.ts";
import { guard } from "../posix/guard.ts";
import type { Valve } from "../posix/guard.ts";
import { setRemaining, stageFile } from "../posix/listen.ts";
import type { StagedFile } from "../posix/listen.ts";
import { resolveHost } from "../posix/resolve.ts";
import { BunConnection } from "./connection.ts";
import type { Context } from "./connection.ts";
import { STREAM } from "./options.ts";

/** The callbacks for all connections of one listener; each finds its connection in `socket.data`. */
function handlers(context: Context): Bun.SocketHandler<BunConnection> {
  return {
    open(socket) {
      const connection = new BunConnection(socket, context);
      socket.data = connection;
      if (!context.noDelay) socket.setNoDelay(false);
      context.table.open(connection);
      guard.accepted(descriptorOf(socket));
    },
    data: (socket, chunk) => socket.data.received(chunk),
    drain: (socket) => socket.data.drained(),
    end: (socket) => socket.data.peerEnded(),
    close: (socket, error) =>
      socket.data.closed(error == null ? undefined : toPorticoError(error, "ECONNRESET", "peer")),
    // The core catches what plugins throw: this is about the socket, and `close` follows.
    error: () => {},
  };
}

/** As {@link Adapter.listen}, for `tcp` and `unix`. */
export async function listen(
  endpoint: BindableEndpoint,
  table: StreamTable,
  options: SocketOptions,
): Promise<Listener> {
  const file = await stageFile(endpoint);
  const noDelay = endpoint.transport === "unix" || (options.noDelay ?? true);
  const listener = new BunListener({ table, noDelay, bound: new Address("tcp", "", 0, "") }, file);
  try {
    if (file !== undefined) listener.startUnix(file);
    else await listener.startTcp(endpoint as InternetEndpoint, options);
    await setRemaining(listener.descriptor, endpoint.transport, options, STREAM);
    file?.publish(options.mode);
  } catch (error) {
    await listener.close();
    throw bindFailure(endpoint, error);
  }
  return listener;
}

/** What is used of `Bun.listen`'s result; `fd` is part of it, and not of its types. */
interface Handle {
  readonly fd: number;
  stop(): void;
}

class BunListener implements Listener, Valve {
  readonly #context: Context;
  readonly #file: StagedFile | undefined;
  readonly #shared: { allowHalfOpen: true; socket: Bun.SocketHandler<BunConnection> };
  #handle: Handle | undefined = undefined;
  /** The socket, while it is not the runtime's. */
  #kept = -1;

  constructor(context: Context, file: StagedFile | undefined) {
    this.#context = context;
    this.#file = file;
    this.#shared = { allowHalfOpen: true, socket: handlers(context) };
  }

  get address(): Address {
    return this.#context.bound;
  }

  get descriptor(): number {
    return this.#handle?.fd ?? -1;
  }

  startUnix({ address, path }: StagedFile): void {
    this.#context.bound = address;
    this.#handle = Bun.listen({ ...this.#shared, unix: path }) as unknown as Handle;
    guard.add(this);
  }

  async startTcp(endpoint: InternetEndpoint, options: SocketOptions): Promise<void> {
    const { host, family } = await resolveHost(endpoint);
    const listener = Bun.listen({
      ...this.#shared,
      hostname: host,
      port: endpoint.port,
      // Not in the types of Bun; with it several sockets share the port.
      ...(options.reusePort === true && { reusePort: true }),
      ...(options.ipv6Only === true && family === 6 && { ipv6Only: true }),
    });
    this.#handle = listener as unknown as Handle;
    this.#context.bound = new Address("tcp", host, listener.port, "");
    guard.add(this);
  }

  shut(kept: number): void {
    this.#kept = kept;
    this.#handle!.stop();
    this.#handle = undefined;
  }

  open(): void {
    const fd = this.#kept;
    this.#kept = -1;
    // Not in the types of Bun either: a listening socket that is there already.
    const adopted = { ...this.#shared, fd } as unknown as Parameters<typeof Bun.listen>[0];
    this.#handle = Bun.listen(adopted) as unknown as Handle;
  }

  failure(error: PorticoError): void {
    this.#context.table.failure(error);
  }

  close(): Promise<void> {
    guard.remove(this);
    this.#handle?.stop();
    this.#handle = undefined;
    if (this.#kept >= 0) closeSync(this.#kept);
    this.#kept = -1;
    this.#file?.release();
    return Promise.resolve();
  }
}

/** Part of a socket, and not of its types. */
function descriptorOf(socket: Bun.Socket<BunConnection>): number {
  return (socket as unknown as { fd: number }).fd;
}
