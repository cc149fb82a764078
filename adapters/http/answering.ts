/** Connections of `node:http` on any runtime, and the requests of one listener on them. */
import { type IncomingMessage, ServerResponse } from "node:http";
import type { ServerHttp2Stream } from "node:http2";
import type { Socket } from "node:net";
import type { Address } from "../../runtime/core/endpoint.ts";
import type { BodyFailure, Exchange, HttpTraffic } from "../../runtime/core/exchange.ts";
import type { TlsInfo } from "../../runtime/core/tls.ts";
import { Exchanges } from "../exchanges.ts";

/** A connection. */
export type Connection = Socket & {
  /** How many of its requests are under way. */
  asking?: number;
  /** The last one of these. */
  last?: Answering | undefined;
  /** Known once it has asked; from the start where somebody else has accepted it. */
  peer?: Address;
  /** Where it has arrived, where that is not the listener's address. */
  arrived?: Address | undefined;
  /** What its handshake has come to, when somebody asks. */
  tls?: () => TlsInfo | undefined;
  /** Since when it has no request under way, by `performance.now()`; undefined where `node:http` looks itself. */
  idleSince?: number;
};

/** A response on its way, with what it answers. It tells of its end by {@link over}: a listener costs more. */
export class Answering extends ServerResponse {
  exchange: Exchange | undefined = undefined;
  failed: BodyFailure | undefined = undefined;
  /** Its own socket it gives back before it closes. */
  readonly asker: Connection;
  over: ((answering: Answering) => void) | undefined = undefined;
  /** Aborts the signal of its request, where that is not the bridge's affair. */
  leaving: AbortController | undefined = undefined;
  /** Of HTTP/2, whose responses are no instances of this, but have the same of it: see `second.ts`. */
  declare readonly stream: ServerHttp2Stream | undefined;

  constructor(incoming: IncomingMessage) {
    super(incoming);
    this.asker = incoming.socket;
  }

  override emit(event: string | symbol, ...words: unknown[]): boolean {
    if (event === "close") this.over?.(this);
    return words.length === 0 ? super.emit(event) : super.emit(event, ...words);
  }
}

/** Ends a response so that its peer sees that it is not whole. */
export function breakOff(outgoing: Answering): void {
  outgoing.on("error", () => {});
  if (outgoing.stream === undefined) outgoing.destroy();
  // Closed by a code, or without an error, a body would look whole on one runtime or the other.
  else outgoing.stream.destroy(new Error("the response is broken off"));
}

/** The own of an exchange is the {@link Answering}. */
export abstract class SocketExchanges extends Exchanges {
  /** Undefined where a connection has several requests at once. */
  protected abstract trafficOf(
    connection: Connection,
    incoming: IncomingMessage,
  ): HttpTraffic | undefined;

  protected findPeer({ own }: Exchange): Address {
    return (own as Answering).asker.peer!;
  }

  override remoteOf(exchange: Exchange): Address {
    // Whoever has accepted it knows better than the listener's address tells.
    return (exchange.own as Answering).asker.peer ?? super.remoteOf(exchange);
  }

  localOf({ own }: Exchange): Address {
    return (own as Answering).asker.arrived ?? this.local;
  }

  tlsOf({ own }: Exchange): TlsInfo | undefined {
    return (own as Answering).asker.tls?.();
  }

  /** It is told of at once as it is. */
  watch(): void {}

  traffic({ own }: Exchange): HttpTraffic | undefined {
    const answering = own as Answering;
    if (answering.stream !== undefined) return undefined;
    return this.trafficOf(answering.asker, answering.req);
  }

  cut({ own }: Exchange): void {
    const answering = own as Answering;
    if (answering.headersSent) breakOff(answering);
    else if (!answering.req.complete) answering.shouldKeepAlive = false;
  }
}
