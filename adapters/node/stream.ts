/**
 * Streams on `node:net`: Node's own, and what Deno and Bun fall back on for an option that their
 * native listeners lack. Node (libuv) answers EMFILE by closing the newcomer unheard:
 * `posix/guard.ts` pauses before.
 */
import type { AddressInfo, ListenOptions, Server, Socket } from "node:net";
import { closeSync } from "node:fs";
import { createServer } from "node:net";
import type {
  BindableEndpoint,
  Listener,
  SocketOptions,
  StreamTable,
} from "../../runtime/core/contract.ts";
import type { InternetEndpoint } from "../../runtime/core/endpoint.ts";
import { Address } from "../../runtime/core/endpoint.ts";
import { PorticoError } from "../../runtime/core/errors.ts";
import { acceptFailure, bindFailure } from "../errno.ts";
import { guard } from "../posix/guard.ts";
import type { Valve } from "../posix/guard.ts";
import { duplicateOf, isInherited, readyListener } from "../posix/inherited.ts";
import { findDescriptor, setRemaining, stageFile } from "../posix/listen.ts";
import type { SocketFile } from "../posix/path.ts";
import { resolveHost } from "../posix/resolve.ts";
import { attach } from "./connection.ts";
import { STREAM } from "./options.ts";

/** As {@link Adapter.listen}, for `tcp` and `unix`. */
export async function listen(
  endpoint: BindableEndpoint,
  table: StreamTable,
  options: SocketOptions,
): Promise<Listener> {
  const file = await stageFile(endpoint);
  const listener = new NodeListener(table, options);
  try {
    const backlog = options.backlog !== undefined && { backlog: options.backlog };
    if (isInherited(endpoint)) {
      listener.file = await readyListener(endpoint);
      listener.address = endpoint.address;
      listener.find = () => Promise.resolve(endpoint.fd);
      await listener.start({ ...backlog, fd: endpoint.fd } as ListenOptions);
    } else if (file !== undefined) {
      listener.address = file.address;
      const bound = new Address("unix", "", 0, file.path.replace(/^\0/, "@"));
      listener.find = () => findDescriptor(bound);
      await listener.start({ ...backlog, path: file.path });
    } else {
      await listener.start({
        ...backlog,
        ...await placeOf(endpoint as InternetEndpoint),
        ...(options.reusePort === true && { reusePort: true }),
        ...(options.ipv6Only === true && { ipv6Only: true }),
      });
    }
    const { descriptor, find } = listener;
    await setRemaining(descriptor >= 0 ? descriptor : find, endpoint.transport, options, STREAM);
    file?.publish(options.mode);
  } catch (error) {
    // What failed here may be served by its former owner still.
    await listener.close(isInherited(endpoint));
    file?.release();
    throw bindFailure(endpoint, error);
  }
  listener.file ??= file;
  return listener;
}

class NodeListener implements Listener, Valve {
  address: Address = new Address("tcp", "", 0, "");
  file: SocketFile | undefined = undefined;
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

  /** How the descriptor is found where the runtime does not tell it. */
  find: () => Promise<number> = () => findDescriptor(this.address);

  /** Node keeps it in the handle; there is no public way to ask. Deno's has none: -1. */
  get descriptor(): number {
    return handleOf(this.#server)?.fd ?? -1;
  }

  async start(where: ListenOptions): Promise<void> {
    await this.#listen(where);
    if (this.address.port === 0 && this.address.transport !== "unix") {
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
    this.#listen({ fd } as ListenOptions).catch((error) => this.failure(acceptFailure(error)));
  }

  failure(error: PorticoError): void {
    this.#table.failure(error);
  }

  async duplicate(): Promise<number> {
    if (this.#closed) throw new PorticoError("NOT_SUPPORTED", "the listener is closed");
    const fd = this.#kept >= 0 ? this.#kept : this.descriptor;
    return await duplicateOf(fd >= 0 ? fd : await this.find());
  }

  close(keep = false): Promise<void> {
    if (this.#closed) return Promise.resolve();
    this.#closed = true;
    guard.remove(this);
    // Its callback would wait for the connections too; the port is free at once.
    if (this.#kept >= 0) closeSync(this.#kept);
    else if (this.#server.listening) this.#server.close();
    if (!keep) this.file?.release();
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
      attach(socket, this.#table, this.address);
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
    server.on("error", (error) => this.failure(acceptFailure(error)));
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
