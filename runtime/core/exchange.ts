/** The part of `contract.ts` for HTTP: its rules hold here too. */
import type { Connection, Listener } from "./contract.ts";
import type { Origin } from "./descriptors.ts";
import type { Address } from "./endpoint.ts";
import type { PorticoError } from "./errors.ts";
import type { TlsInfo } from "./tls.ts";

/** What an adapter knows of the requests of one listener, and is asked for no sooner than somebody wants it. */
export interface HttpSide {
  /** Of the listener: `http`, `https` or `http+unix`. */
  readonly local: Address;
  /** That of an exchange, where each connection has its own. */
  localOf?(exchange: Exchange): Address;
  /** What its connection's handshake has come to; absent where there is none. */
  tlsOf?(exchange: Exchange): TlsInfo | undefined;
  /** See {@link Exchange.remote}. */
  remoteOf(exchange: Exchange): Address;
  /** Has {@link HttpTable.close} tell at once of a peer that leaves before the answer; else that may wait for it. */
  watch(exchange: Exchange): void;
  /** Whether the peer has left, as far as the runtime tells by now, or by what a hook has `thrown`. */
  isGone(exchange: Exchange, thrown: unknown): boolean;
  /**
   * Whether it is to be seen at once that this is a response, that all of it is there, and that nobody has
   * read it: then nothing more has to be asked. False says nothing.
   */
  isWhole(response: Response): boolean;
  /**
   * Whether the core has to watch the body of this response, which streams. Of all others the runtime
   * makes what it likes, and the adapter tells of their end; no header changes by the question.
   */
  streams(exchange: Exchange, response: Response): boolean;
  /** What has gone through its connection by now; absent where the runtime does not tell. */
  traffic?(exchange: Exchange): HttpTraffic | undefined;
  /**
   * Has {@link incoming} tell of its body from here on, which nobody has looked at yet. Absent, as that is,
   * where {@link traffic} tells.
   */
  follow?(exchange: Exchange): void;
  /** What has come of it by now, where somebody waits for more of its body; undefined where nobody knows. */
  incoming?(exchange: Exchange): number | undefined;
  /** Ends its connection, behind the answer where none is on its way yet. Absent where nobody can. */
  cut?(exchange: Exchange): void;
}

/** The bytes of a connection that has a request under way. */
export interface HttpTraffic {
  readonly bytesIn: number;
  /** There is more of the request to come, and the runtime reads it. */
  readonly receives: boolean;
  readonly bytesOut: number;
  readonly unsent: number;
}

/** One HTTP request and its answer: the core's session is one, so that a request takes one object. */
export class Exchange {
  readonly side: HttpSide;
  readonly request: Request;
  /** The adapter's own: what it knows the request by. The core does not look at it. */
  readonly own: unknown;
  /** The adapter's: {@link HttpTable.close} was called. */
  closed = false;
  /** The adapter's: its peer has left before the answer had gone out. */
  left = false;
  /** The adapter's: its connection ends with the answer. */
  last = false;
  /** The adapter's: what {@link HttpSide.streams} has answered. */
  streaming = false;
  /** The adapter's: the next one in a list. */
  following: Exchange | undefined = undefined;
  #remote: Address | undefined = undefined;

  constructor(side: HttpSide, request: Request, own: unknown) {
    this.side = side;
    this.request = request;
    this.own = own;
  }

  /**
   * Of the connection: `tcp` or `unix`. It is looked up when somebody asks first; some runtimes know it
   * only until the request is answered: later its host is empty.
   */
  get remote(): Address {
    return this.#remote ??= this.side.remoteOf(this);
  }

  get local(): Address {
    return this.side.localOf?.(this) ?? this.side.local;
  }

  /** Of its connection; undefined in clear. */
  get tls(): TlsInfo | undefined {
    return this.side.tlsOf?.(this);
  }
}

/** What a body has thrown. */
export interface BodyFailure {
  readonly thrown: unknown;
}

/** The core's callbacks for the requests of one HTTP listener. */
export interface HttpTable {
  /** A request has come, with its head; its body may be on the way. {@link answer} is called next. */
  open(side: HttpSide, request: Request, own: unknown): Exchange;
  /** What it is answered with, or a promise of this realm's own, which never rejects. */
  answer(exchange: Exchange): Response | Promise<Response>;
  /** Whether anybody is told of its end, or has the turn then. */
  isAwaited(exchange: Exchange): boolean;
  /**
   * Last, exactly once: the response has gone out, as far as the runtime tells (a body that streams,
   * the core watches itself); or the peer is `gone` before that; or the body has `failed` with that.
   */
  close(exchange: Exchange, gone: boolean, failed?: BodyFailure): void;
  /** As that of a stream listener. */
  failure(error: PorticoError): void;
  /** Whom handshakes are told to; they begin by themselves where it is absent. */
  readonly handshakes?: HandshakeTable | undefined;
}

/** A connection that begins with TLS, before there is a request. The adapter's. */
export interface Handshake {
  /** The core's own slot. */
  data: unknown;
  readonly remote: Address;
  readonly local: Address;
  /** Reads, and answers. Nothing is read before. */
  begin(): void;
  /** Closes the connection, whatever is under way, and tells nobody. May be called twice. */
  abort(): void;
}

/** The core's callbacks for the handshakes of one listener. No request comes before {@link done}. */
export interface HandshakeTable {
  /** A peer has connected. {@link Handshake.begin} and {@link Handshake.abort} may be called here. */
  arrive(handshake: Handshake): void;
  done(handshake: Handshake): void;
  /**
   * It has come to nothing, and its connection is closed: TLS_FAILED, or what has become of the socket; undefined
   * when its listener was closed.
   */
  failed(handshake: Handshake, error: PorticoError | undefined): void;
}

/** Connections of HTTP that somebody else has accepted. */
export interface HttpConnections {
  /**
   * Serves one, unread, with a handshake before it where there is a context. The descriptor is the adapter's from
   * the call on; `remote` and `local` of its requests are those of `origin`.
   *
   * @throws PorticoError when the socket is none, or gone; the descriptor is closed then.
   */
  adopt(fd: number, origin: Origin): void;
  /**
   * Serves one of a listener of this adapter whose table {@link StreamTable.upgrades}, paused, of which something was
   * read and put back ({@link Connection.unread}). It is dead from the call on, without a `close`. Absent where
   * {@link Features.unreads} has no `http`.
   *
   * @param last what it has said, where its end has come: then nothing can be put back.
   */
  take?(connection: Connection, origin: Origin, last?: Uint8Array): void;
  /** As {@link HttpListener.close}, of connections. */
  close(keep?: boolean): void;
  /** See {@link HttpListener.over}. */
  readonly over: Promise<void>;
  /** See {@link HttpListener.abort}. */
  abort(): void;
}

/** A socket that takes HTTP requests. */
export interface HttpListener extends Listener {
  /**
   * As {@link Listener.close}. Idle connections are closed at once, the others after the response that
   * is under way. With `keep`, who has connected and not asked yet has a second to do so.
   */
  close(keep?: boolean): Promise<void>;
  /** Resolves when it is closed and nothing is under way, or after {@link abort}. */
  readonly over: Promise<void>;
  /** After the close: cuts what is still under way, as far as the runtime can. */
  abort(): void;
}

/** A chunk of a body, in what form one runtime or the other takes it. @throws TypeError for what is no bytes. */
export function bytesOf(chunk: unknown): Uint8Array<ArrayBuffer> {
  if (chunk instanceof Uint8Array) return chunk as Uint8Array<ArrayBuffer>;
  if (typeof chunk === "string") return encoder.encode(chunk);
  if (chunk instanceof ArrayBuffer) return new Uint8Array(chunk);
  throw new TypeError(
    `the body of a response has to be bytes: received a chunk of ${typeof chunk}`,
  );
}

const encoder = new TextEncoder();
