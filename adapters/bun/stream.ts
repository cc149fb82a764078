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
import type { Inherited } from "../../runtime/core/descriptors.ts";
import { PorticoError } from "../../runtime/core/errors.ts";
import { bindFailure } from "../errno.ts";
import { guard } from "../posix/guard.ts";
import type { Valve } from "../posix/guard.ts";
import { duplicateOf, isInherited, readyListener } from "../posix/inherited.ts";
import { setRemaining, stageFile } from "../posix/listen.ts";
import type { StagedFile } from "../posix/listen.ts";
import type { SocketFile } from "../posix/path.ts";
import { resolveHost } from "../posix/resolve.ts";
import { BunConnection, EVENTS } from "./connection.ts";
import type { Context } from "./connection.ts";
import { STREAM } from "./options.ts";

/** The callbacks for all connections of one listener. */
function handlers(context: Context): Bun.SocketHandler<BunConnection> {
  return {
    ...EVENTS,
    open(socket) {
      const connection = new BunConnection(socket, context);
      socket.data = connection;
      if (!context.noDelay) socket.setNoDelay(false);
      context.table.open(connection);
      guard.accepted(descriptorOf(socket));
    },
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
    if (isInherited(endpoint)) listener.startInherited(endpoint, await readyListener(endpoint));
    else if (file !== undefined) listener.startUnix(file);
    else await listener.startTcp(endpoint as InternetEndpoint, options);
    await setRemaining(listener.descriptor, endpoint.transport, options, STREAM);
    file?.publish(options.mode);
  } catch (error) {
    // What failed here may be served by its former owner still.
    await listener.close(isInherited(endpoint));
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
  #file: SocketFile | undefined;
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

  startInherited({ fd, address }: Inherited, file: SocketFile | undefined): void {
    this.#context.bound = address;
    this.#file = file;
    this.#kept = fd;
    this.open();
    guard.add(this);
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
    // Not in the types of Bun either: a listening socket that is there already.
    const adopted = { ...this.#shared, fd: this.#kept };
    const listener = Bun.listen(adopted as unknown as Parameters<typeof Bun.listen>[0]);
    this.#handle = listener as unknown as Handle;
    this.#kept = -1;
  }

  failure(error: PorticoError): void {
    this.#context.table.failure(error);
  }

  async duplicate(): Promise<number> {
    const fd = this.#kept >= 0 ? this.#kept : this.descriptor;
    if (fd < 0) throw new PorticoError("NOT_SUPPORTED", "the listener is closed");
    return await duplicateOf(fd);
  }

  close(keep = false): Promise<void> {
    guard.remove(this);
    this.#handle?.stop();
    this.#handle = undefined;
    if (this.#kept >= 0) closeSync(this.#kept);
    this.#kept = -1;
    if (!keep) this.#file?.release();
    this.#file = undefined;
    return Promise.resolve();
  }
}

/** Part of a socket, and not of its types. */
function descriptorOf(socket: Bun.Socket<BunConnection>): number {
  return (socket as unknown as { fd: number }).fd;
}
