/**
 * Streams on `node:net`: Node's own, and what Deno and Bun fall back on for an option that their
 * native listeners lack. At EMFILE Node (libuv) closes a new connection without serving it:
 * `posix/descriptor-limit.ts` pauses accepting before that.
 */
import type { Socket } from "node:net";
import type {
  BindableEndpoint,
  Listener,
  SocketOptions,
  StreamTable,
} from "../../runtime/core/contract.ts";
import type { PorticoError } from "../../runtime/core/errors.ts";
import type { ListenTarget } from "../listen-target.ts";
import { openListener } from "../listener.ts";
import { attach } from "./connection.ts";
import { NetListener } from "./net-listener.ts";

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

export class NodeListener extends NetListener {
  readonly #table: StreamTable;
  readonly #options: SocketOptions;

  constructor(target: ListenTarget, table: StreamTable, options: SocketOptions) {
    super(target, options, false);
    this.#table = table;
    this.#options = options;
  }

  get reserved(): boolean {
    return this.#table.reserved === true;
  }

  protected arrive(socket: Socket): void {
    // Bun's node:net begins with it on, and believes that it is off.
    if (this.#options.noDelay === false) socket.setNoDelay(true).setNoDelay(false);
    attach(socket, this.#table, this.address);
  }

  failure(error: PorticoError): void {
    this.#table.failure(error);
  }
}
