/**
 * Streams on `node:net`: Node's own, and what Deno and Bun fall back on for an option that their
 * native listeners lack. At EMFILE Node (libuv) closes a new connection without serving it:
 * `posix/descriptor-limit.ts` pauses accepting before that.
 */
import { type AddressInfo, createServer, type Server, type Socket } from "node:net";
import type {
  BindableEndpoint,
  Listener,
  OptionName,
  SocketOptions,
  StreamTable,
} from "../../runtime/core/contract.ts";
import type { PorticoError } from "../../runtime/core/errors.ts";
import { acceptFailure } from "../errno.ts";
import type { ListenTarget } from "../listen-target.ts";
import { openListener, ReopenedListener } from "../listener.ts";
import { descriptorLimit } from "../posix/descriptor-limit.ts";
import { attach } from "./connection.ts";
import { descriptorOf } from "./handle.ts";
import { listenOn, listenOptions, setKeepAlive, STREAM } from "./options.ts";

/** As {@link Adapter.listen}, for `tcp` and `unix`. */
export function listen(
  endpoint: BindableEndpoint,
  table: StreamTable,
  options: SocketOptions,
): Promise<Listener> {
  return openListener(
    endpoint,
    options,
    (target) => new NodeListener(target, table, options),
  );
}

export class NodeListener extends ReopenedListener {
  readonly ownOptions: readonly OptionName[] = STREAM;
  readonly #table: StreamTable;
  readonly #options: SocketOptions;
  #server: Server;

  constructor(target: ListenTarget, table: StreamTable, options: SocketOptions) {
    super(target);
    this.#table = table;
    this.#options = options;
    this.#server = this.#makeServer();
  }

  get reserved(): boolean {
    return this.#table.reserved === true;
  }

  protected get ownDescriptor(): number {
    return descriptorOf(this.#server);
  }

  async start(options: SocketOptions): Promise<void> {
    await this.#listen(listenOptions(this.target, options));
    if (this.target.inherited === undefined && !this.target.unix) {
      this.address = this.target.address((this.#server.address() as AddressInfo).port);
    }
    descriptorLimit.add(this);
  }

  protected stopListening(): void {
    // Its callback would wait for the connections too; the port is free at once.
    this.#server.close();
  }

  protected async listenOn(fd: number): Promise<void> {
    this.#server = this.#makeServer();
    await this.#listen({ fd });
  }

  protected closeRuntime(): void {
    if (this.#server.listening) this.#server.close();
  }

  failure(error: PorticoError): void {
    this.#table.failure(error);
  }

  readonly #accepted = (socket: Socket): void => {
    // Bun's node:net begins with it on, and believes that it is off.
    if (this.#options.noDelay === false) socket.setNoDelay(true).setNoDelay(false);
    setKeepAlive(socket, this.#options);
    attach(socket, this.#table, this.address);
    descriptorLimit.accepted(descriptorOf(socket));
  };

  #makeServer(): Server {
    const { noDelay = true } = this.#options;
    return createServer({ allowHalfOpen: true, noDelay }, this.#accepted);
  }

  async #listen(where: Parameters<typeof listenOn>[1]): Promise<void> {
    const server = this.#server;
    await listenOn(server, where);
    // From here on an error is an accept that failed.
    server.on("error", (error) => this.failure(acceptFailure(error)));
  }
}
