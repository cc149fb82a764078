/**
 * Stream listeners on `Bun.listen`, which costs 10 % less CPU for a message than `node:net` under Bun
 * and less than half the memory for an idle connection. It ignores `backlog`, which is set by
 * descriptor, and it spins when it runs out of descriptors: `posix/descriptor-limit.ts`
 * pauses accepting before that.
 */
import type {
  BindableEndpoint,
  Listener,
  OptionName,
  SocketOptions,
  StreamTable,
} from "../../runtime/core/contract.ts";
import type { PorticoError } from "../../runtime/core/errors.ts";
import type { ListenTarget } from "../listen-target.ts";
import { openListener, ReopenedListener } from "../listener.ts";
import { descriptorLimit } from "../posix/descriptor-limit.ts";
import { BunConnection, type Context, EVENTS } from "./connection.ts";
import { STREAM } from "./options.ts";

/** As {@link Adapter.listen}, for `tcp` and `unix`. */
export function listen(
  endpoint: BindableEndpoint,
  table: StreamTable,
  options: SocketOptions,
): Promise<Listener> {
  const noDelay = endpoint.transport === "unix" || (options.noDelay ?? true);
  return openListener(endpoint, options, (target) => new BunListener(target, table, noDelay));
}

/** What is used of `Bun.listen`'s result; `fd` is part of it, and not of its types. */
interface Handle {
  readonly fd: number;
  readonly port: number;
  stop(): void;
}

/** Where `Bun.listen` is to listen. Its types do not know `fd` nor `reusePort`. */
type ListenOptions = { readonly fd: number } | { readonly unix: string } | {
  readonly hostname: string;
  readonly port: number;
  readonly reusePort?: boolean;
  readonly ipv6Only?: boolean;
};

class BunListener extends ReopenedListener {
  readonly ownOptions: readonly OptionName[] = STREAM;
  readonly #context: Context;
  readonly #handlers: Bun.SocketHandler<BunConnection>;
  #handle: Handle | undefined = undefined;

  constructor(target: ListenTarget, table: StreamTable, noDelay: boolean) {
    super(target);
    const context: Context = { table, noDelay, bound: this.address };
    this.#context = context;
    this.#handlers = {
      ...EVENTS,
      open(socket) {
        const connection = new BunConnection(socket, context);
        socket.data = connection;
        if (!noDelay) socket.setNoDelay(false);
        // One that goes over to TLS at once shows none any more.
        const fd = descriptorOf(socket);
        table.open(connection);
        descriptorLimit.accepted(fd);
      },
    };
  }

  get reserved(): boolean {
    return this.#context.table.reserved === true;
  }

  protected get ownDescriptor(): number {
    return this.#handle?.fd ?? -1;
  }

  start({ reusePort, ipv6Only }: SocketOptions): void {
    const { inherited, path, host, port } = this.target;
    if (inherited !== undefined) this.listenOn(inherited.fd);
    else if (path !== undefined) this.#listen({ unix: path });
    else {
      this.#listen({
        hostname: host,
        port,
        ...(reusePort === true && { reusePort }),
        ...(ipv6Only === true && host.includes(":") && { ipv6Only }),
      });
      this.address = this.#context.bound = this.target.address(this.#handle!.port);
    }
    descriptorLimit.add(this);
  }

  #listen(where: ListenOptions): void {
    const options = { ...where, allowHalfOpen: true, socket: this.#handlers };
    this.#handle = Bun.listen(
      options as unknown as Parameters<typeof Bun.listen>[0],
    ) as unknown as Handle;
  }

  protected stopListening(): void {
    this.#handle?.stop();
    this.#handle = undefined;
  }

  protected listenOn(fd: number): void {
    this.#listen({ fd });
  }

  protected closeRuntime(): void {
    this.stopListening();
  }

  failure(error: PorticoError): void {
    this.#context.table.failure(error);
  }
}

/** Part of a socket, and not of its types. */
function descriptorOf(socket: Bun.Socket<BunConnection>): number {
  return (socket as unknown as { fd: number }).fd;
}
