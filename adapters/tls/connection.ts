/**
 * A connection of `node:tls`, over a socket of `node:net` or over what {@link Wire} makes of another connection. It has
 * the place of the one below, and tells the same table.
 *
 * - An end is told alike whether the peer has said farewell (close_notify) or only closed: no runtime lets one know.
 *   A protocol that has to tell a whole message from one that was cut off says so by itself.
 *   A reset is told as one, whoever has heard of it first: `reset.ts`.
 * - `abort` says no farewell, so the peer can tell that something is missing; it is no reset.
 */
import type { Duplex } from "node:stream";
import type { TLSSocket } from "node:tls";
import type { Connection, StreamTable } from "../../runtime/core/contract.ts";
import type { Address } from "../../runtime/core/endpoint.ts";
import type { PorticoError } from "../../runtime/core/errors.ts";
import type { TlsInfo } from "../../runtime/core/tls.ts";
import { listen, NodeConnection, read } from "../node/connection.ts";
import type { SocketContext } from "./context.ts";
import { handshakeFailure, recordFailure } from "./failure.ts";
import { infoOf } from "./info.ts";
import { asksForReset } from "./reset.ts";
import { Wire } from "./wire.ts";

/** What is nobody's affair: the layer above tells of it. */
function ignore(): void {}

/** See {@link Layer.begin}. */
export function begin(
  context: SocketContext,
  stream: Duplex,
  table: StreamTable,
  bound: Address,
  remote: Address | undefined,
  data: unknown,
  wire?: Wire,
): TlsConnection {
  stream.on("error", ignore);
  const socket = context.wrap(stream);
  const clear = (): number => wire?.pending ?? stream.writableLength;
  const connection = new TlsConnection(socket, table, bound, remote, data, context, wire, clear);
  listen(connection);
  socket.on("_tlsError", (error: Error) => connection.failed(error));
  socket.once(context.done, () => connection.handshakeDone());
  // An end that was read before TLS has begun is told below alone.
  if (stream.readableEnded) queueMicrotask(() => connection.endedBelow());
  else if (stream.readableLength > 0) stream.once("end", () => connection.endedBelow());
  return connection;
}

/** See {@link Layer.over}. */
export function over(
  context: SocketContext,
  connection: Connection,
  table: StreamTable,
  redirect: (table: StreamTable) => void,
): TlsConnection {
  const { local, remote, data } = connection;
  const wire = new Wire(connection);
  redirect(wire);
  const made = begin(context, wire.stream, table, local, remote, data, wire);
  wire.lost = (error) => made.lost(error);
  return made;
}

export class TlsConnection extends NodeConnection {
  declare readonly socket: TLSSocket;
  readonly #context: SocketContext;
  readonly #wire: Wire | undefined;
  readonly #clear: () => number;
  #secured = false;
  #aborted = false;
  #authorized = false;
  /** Above; what is below may take longer. */
  #closed = false;
  #info: TlsInfo | undefined = undefined;

  constructor(
    socket: TLSSocket,
    table: StreamTable,
    bound: Address,
    remote: Address | undefined,
    data: unknown,
    context: SocketContext,
    wire: Wire | undefined,
    clear: () => number,
  ) {
    super(socket, table, bound, remote, data);
    this.#context = context;
    this.#wire = wire;
    this.#clear = clear;
  }

  get tls(): TlsInfo | undefined {
    if (!this.#secured || this.#info === undefined && this.socket.destroyed) return this.#info;
    return this.#info ??= infoOf(this.socket, this.#authorized, this.#context.serverName);
  }

  /** What was written in clear before goes out first; whose handshake is done has got it. */
  override get pending(): number {
    return this.#secured ? super.pending : super.pending + this.#clear();
  }

  /** What is queued below is longer than what was written. */
  override get unsent(): number {
    return this.pending;
  }

  /** A reset of the socket below is not to be had: Node would go on with what it has freed. */
  override abort(quiet = false): void {
    if (this.#aborted) return;
    this.#aborted = true;
    this.#wire?.abort(quiet);
    super.abort(true);
  }

  /** From the runtime. */
  handshakeDone(): void {
    const { socket } = this;
    if (this.#aborted || socket.destroyed) return;
    const doubt = doubtOf(socket, this.#context);
    if (doubt !== undefined && this.#context.strict) {
      this.failed(doubt);
      return;
    }
    this.#authorized = doubt === undefined;
    this.#secured = true;
    this.table.secured?.(this);
    read(this);
  }

  /** From the runtime, which does not close for each. */
  override failed(error: unknown): void {
    const { other } = this.#context;
    this.error ??= this.#secured ? recordFailure(error, other) : handshakeFailure(error, other);
    this.socket.destroy();
  }

  /** From what is below: there is no more of the handshake. */
  endedBelow(): void {
    if (!this.#secured && !this.#aborted) this.failed(undefined);
  }

  override ended(): void {
    if (!this.#secured) {
      if (!this.#aborted) this.failed(undefined);
      return;
    }
    const { socket } = this;
    const asked = socket.writableEnded ? undefined : asksForReset(socket);
    if (asked === undefined) return super.ended();
    void asked.then((reset) => {
      if (socket.destroyed) return;
      if (reset) this.failed(RESET);
      else super.ended();
    });
  }

  /** From the wire: nothing is left below. */
  lost(error: PorticoError | undefined): void {
    if (this.#closed) return super.closed();
    if (error === undefined) return;
    this.error ??= error;
    this.socket.destroy();
  }

  override closed(): void {
    if (!this.#secured && !this.#aborted) {
      this.error ??= handshakeFailure(undefined, this.#context.other);
    }
    this.#closed = true;
    const wire = this.#wire;
    if (wire === undefined || wire.gone) super.closed();
    else wire.stream.destroy();
  }
}

/** As the runtime has it where it tells of one. */
const RESET = Object.assign(new Error("read ECONNRESET"), { code: "ECONNRESET" });

/** Of a client that nobody has asked for its certificate. */
const UNASKED = { code: "CERT_UNTRUSTED" };

/** What is not part of Node's types; Bun has it elsewhere. */
interface Handle {
  /** An error; on Deno its code, empty when there is none. */
  verifyError?(): Error | string | null | undefined;
}

/** Why the other side is not to be trusted; undefined when it is. Who was not asked for a certificate is not. */
export function doubtOf(socket: TLSSocket, { side, asks }: SocketContext): unknown {
  if (!asks) return UNASKED;
  const { authorized, authorizationError } = socket;
  if (authorized) return undefined;
  const { _handle: handle } = socket as unknown as { _handle?: Handle | null };
  if (side === "server" && handle?.verifyError !== undefined) {
    const error = handle.verifyError();
    return typeof error !== "string"
      ? error ?? undefined
      : error === ""
      ? undefined
      : { code: error };
  }
  if (authorizationError instanceof Error) return authorizationError;
  return { code: String(authorizationError ?? "CERT_UNTRUSTED") };
}
