/** A connection that begins with TLS, until it is one of HTTP. */
import type { Socket } from "node:net";
import type { Origin } from "../../runtime/core/descriptors.ts";
import type { Address } from "../../runtime/core/endpoint.ts";
import { PorticoError } from "../../runtime/core/errors.ts";
import type { Handshake, HandshakeTable } from "../../runtime/core/exchange.ts";
import type { TlsContext } from "../../runtime/core/tls.ts";
import { tcpAddress } from "../addresses.ts";
import type { Connection } from "./answering.ts";
import { TLS_FEATURES } from "../tls/features.ts";
import { isPlainHttp } from "../tls/failure.ts";
import { secure } from "./secure.ts";
import type { HttpServer } from "./server.ts";

/** Those of one server that have not come to a request. */
export class Handshakes {
  readonly context: TlsContext;
  readonly http: HttpServer;
  readonly #table: HandshakeTable | undefined;
  readonly #open: Set<SocketHandshake> = new Set();

  constructor(context: TlsContext, http: HttpServer, table: HandshakeTable | undefined) {
    this.context = context;
    this.http = http;
    this.#table = table;
    http.waits = () => this.#open.size > 0;
  }

  /** @param raw nothing of it was read. */
  arrive(raw: Socket, origin?: Origin): void {
    const handshake = new SocketHandshake(this, raw, origin);
    this.#open.add(handshake);
    if (this.#table === undefined) handshake.begin();
    else this.#table.arrive(handshake);
  }

  /** @param socket what is there from now on. */
  done(handshake: SocketHandshake, socket: Connection): void {
    this.#table?.done(handshake);
    this.#open.delete(handshake);
    this.http.take(socket);
    this.http.settle();
  }

  failed(handshake: SocketHandshake, error: PorticoError | undefined): void {
    this.#table?.failed(handshake, error);
    this.left(handshake);
  }

  left(handshake: SocketHandshake): void {
    this.#open.delete(handshake);
    this.http.settle();
  }

  /** Ends those that are left. */
  abort(): void {
    for (const handshake of this.#open) {
      handshake.abort();
      this.#table?.failed(handshake, undefined);
    }
  }
}

/** As nginx has it: whoever has typed http:// reads why it is wrong. */
const SAID = "The plain HTTP request was sent to HTTPS port\n";
const PLAIN = [
  "HTTP/1.1 400 Bad Request",
  "Content-Type: text/plain; charset=utf-8",
  `Content-Length: ${SAID.length}`,
  "Connection: close",
  "",
  SAID,
].join("\r\n");

class SocketHandshake implements Handshake {
  data: unknown = undefined;
  readonly remote: Address;
  readonly #owner: Handshakes;
  readonly #raw: Socket;
  readonly #origin: Origin | undefined;
  #begun = false;
  #over = false;
  readonly #gone = (): void => this.#fail(new PorticoError("ECONNRESET"));

  constructor(owner: Handshakes, raw: Socket, origin: Origin | undefined) {
    this.#owner = owner;
    this.#raw = raw;
    this.#origin = origin;
    this.remote = origin?.remote ?? tcpAddress(raw.remoteAddress, raw.remotePort);
    raw.on("error", () => {});
    raw.once("close", this.#gone);
  }

  get local(): Address {
    return this.#origin?.local ?? this.#owner.http.exchanges.local;
  }

  begin(): void {
    if (this.#begun || this.#over) return;
    this.#begun = true;
    secure(this.#raw, this.#owner.context, (socket, info) => {
      if (this.#over) return void socket.destroy();
      this.#over = true;
      this.#raw.off("close", this.#gone);
      const connection: Connection = socket;
      connection.tls = info;
      connection.peer = this.remote;
      connection.arrived = this.#origin?.local;
      this.#owner.done(this, connection);
    }, (error) => this.#fail(error));
  }

  #fail(error: PorticoError): void {
    if (this.#over) return;
    this.#over = true;
    // Else the library has said something (an alert), which goes out before.
    if (TLS_FEATURES.plainHttp === true && isPlainHttp(error)) this.#raw.write(PLAIN);
    this.#raw.destroySoon();
    this.#owner.failed(this, error);
  }

  abort(): void {
    if (this.#over) return;
    this.#over = true;
    this.#raw.destroy();
    this.#owner.left(this);
  }
}
