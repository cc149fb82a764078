/** What a plugin's hooks are given: a conversation with one peer. */
import type { Address } from "./endpoint.ts";
import type { RuleOptions } from "./plan.ts";
import type { Via } from "./prologue/via.ts";
import type { Fields } from "./record.ts";
import type { Codec } from "./stream/codec.ts";
import type { TlsInfo } from "./tls.ts";
import type { TlsClient } from "./endpoint.ts";
import type { Duration } from "./units.ts";

/**
 * A plugin's own records: text with fields, as event `log`. A session's log adds the session's number. It
 * never throws; an error in the place of fields is the field `error`.
 */
export interface Logger {
  debug(text: string, fields?: Fields): void;
  info(text: string, fields?: Fields): void;
  warn(text: string, fields?: Fields): void;
  error(text: string, fields?: Fields): void;
}

/** Who asks to be served: allowed by the rules, within the limits, its turn has come; nothing is read yet. */
export interface Peer {
  readonly kind: "stream" | "datagram" | "http";
  readonly remote: Address;
  readonly local: Address;
  /** The `options` of the rule of `access` that has let it in; undefined where that has none. */
  readonly ruleOptions?: RuleOptions | undefined;
}

/**
 * One conversation: a stream connection, or one datagram and the right to answer it. It is written
 * once for both; where they differ, the member says so.
 */
export interface Session<State = unknown> extends AsyncIterable<Uint8Array> {
  /** Counts from 1 in each process; the same in every record of this session. */
  readonly id: number;
  readonly kind: "stream" | "datagram";
  readonly remote: Address;
  readonly local: Address;
  /** As {@link Peer.ruleOptions}. */
  readonly ruleOptions?: RuleOptions | undefined;
  /** The way that the peer came, where a balancer has told of it by a PROXY header; see `proxyProtocol`. */
  readonly via: Via | undefined;
  /**
   * What its handshake has come to: version, cipher, names, the peer's certificate. Undefined where it speaks in clear.
   * Ask for it before the session has closed.
   */
  readonly tls: TlsInfo | undefined;
  /** What `setup` returned. Assignable. */
  state: State;
  /**
   * Aborts when the session must end: its peer has gone, a limit has struck, the server stops. Where all
   * was in order, what was received is read first, as with {@link closed}.
   */
  readonly signal: AbortSignal;
  /**
   * Resolves, and never rejects, when the session is closed both ways: in push form when its hooks have
   * come back, in pull form when all that was received has been read, or after 5 s when nobody does.
   * Its `finish` may be still to come.
   */
  readonly closed: Promise<Closed>;
  readonly log: Logger;
  /** Bytes received from the peer, and handed to `write`. */
  readonly bytesIn: number;
  readonly bytesOut: number;
  /**
   * Takes every byte, in order, and gathers what one turn of the event loop writes into one system
   * call. `false` means: wait for `drain`. The bytes must not be changed afterwards; a chunk of the
   * `data` hook may be written as it is. On datagrams each call is one datagram back to the sender;
   * `false` means it cannot be sent. Once the session is over it does nothing and returns false.
   *
   * While there is a backlog nothing more is read for the session, unless the plugin has a `drain` hook. A
   * backlog above `limits.writeBuffer` ends the session (WRITE_LIMIT); what {@link send} waits for is none.
   */
  write(bytes: Uint8Array | string): boolean;
  /** `write` that resolves when the backlog is low again. Rejects with SESSION_CLOSED when the session ends first. */
  send(bytes: Uint8Array | string): Promise<void>;
  /**
   * Resolves when there is no backlog: at once, or when `drain` would be called. Rejects as {@link send}
   * does, for which it is `write` and this. Of datagrams there is none.
   */
  writable(): Promise<void>;
  /**
   * The session has this long from now on, whatever happens; a later call counts anew, Infinity lifts it.
   * Then it is closed as by a limit: what was written is sent, the reason is `deadline`. It strikes up to
   * an eighth of its length (at least 10 ms, at most a second) late. Not on datagrams.
   */
  deadline(after: Duration): void;
  /** Sends what was written, and these last bytes, then ends our side. The peer may go on sending (half-close). */
  end(bytes?: Uint8Array | string): void;
  /**
   * Of UDP, where `limits.amplification` is set: the peer has shown that it is at its address, as by sending
   * back a token that was sent there. From now on its answers are not limited, also those to what it sends
   * next from this address and port: it is remembered for 5 to 10 minutes after it was heard last, if not more
   * than 4,096 others come meanwhile. With workers the others know a moment later. Nothing where the kernel
   * knows who the peer is.
   */
  confirm(): void;
  /**
   * Begins TLS in the middle of a session, as STARTTLS does: with the service's `tls` where the peer has come to us,
   * as its client where {@link StartContext.connect} has opened it. What was written before goes out in clear first;
   * nothing is read in clear from the call on, and what is written meanwhile waits, and is sent by TLS. Forget what the
   * peer has said so far: anybody may have said it.
   *
   * What has come by then and nobody has read was sent by somebody in between: the session ends, with TLS_INJECTION.
   * So it does where a {@link Framer} in its state holds bytes, or a reader. In push form without a framer you have
   * them yourself: say so by `rest`. Await it: in push form `data` is not called before.
   *
   * It has `limits.handshake`; whatever it fails of, the session is over then.
   *
   * @throws PorticoError TLS_FAILED, TLS_INJECTION; TLS_INVALID for a client's options; USAGE where the manifest has no
   * `tls` for it; NOT_SUPPORTED of datagrams. Error when the session speaks TLS already, is piped, or a read waits.
   */
  startTls(options?: StartTlsOptions): Promise<TlsInfo>;
  /** Ends the session at once, both ways; what was not sent is lost. */
  abort(): void;
  /**
   * The peer has done what only an attacker does, in a few words (200 characters are kept): `"bad password"`.
   * It counts as a refusal does for the manifest's `ban`, and does nothing where that is silent; the session
   * goes on. Of datagrams, whose senders can be forged, it counts where `ban.datagrams` says so.
   */
  offence(what: string): void;
  /** Stops `data` until {@link resume}; the peer is slowed down by its own kernel. Not on datagrams. */
  pause(): void;
  resume(): void;
  /**
   * The chunks, in pull form; they are yours to keep unless {@link Plugin.keepsChunks} is false. Ends with the
   * peer's end. One reader at a time.
   */
  [Symbol.asyncIterator](): AsyncIterator<Uint8Array, undefined>;
  /**
   * Lines without their LF or CRLF, UTF-8. A last line without an end counts.
   * @throws FRAME_TOO_LONG for a line above `max` bytes (64 KiB when silent).
   */
  lines(max?: number): AsyncIterableIterator<string>;
  /** Exactly `length` bytes. @throws UNEXPECTED_END when fewer come. */
  readExactly(length: number): Promise<Uint8Array>;
  /**
   * The bytes up to and without `delimiter`; undefined at the end of the stream.
   * @throws FRAME_TOO_LONG above `max` bytes (64 KiB when silent), UNEXPECTED_END in the middle.
   */
  readUntil(delimiter: Uint8Array | string, max?: number): Promise<Uint8Array | undefined>;
  /** Frames of a codec, as `lengthPrefixed(2)`. @throws FRAME_TOO_LONG, UNEXPECTED_END. */
  frames<Value>(codec: Codec<Value>): AsyncIterableIterator<Value>;
  /**
   * One frame of a codec; undefined at the end. A read that is given up, by `signal` or `timeout`, takes
   * nothing: the next one finds all that came.
   *
   * @throws FRAME_TOO_LONG, UNEXPECTED_END, ETIMEDOUT, the reason of `signal`.
   */
  read<Value>(codec: Codec<Value>, options?: ReadOptions): Promise<Value | undefined>;
}

/** How a session came to its end. */
export interface Closed {
  /** As in its `close` record: `done`, `peer`, `reset`, `error`, `aborted`, `drain`, `deadline`, `access`, a limit. */
  readonly reason: string;
}

/** Options of {@link Session.startTls}. Those of a client are nothing to a server. */
export interface StartTlsOptions extends TlsClient {
  /** What is left of the chunk behind the request for TLS: there should be nothing. */
  readonly rest?: Uint8Array | undefined;
}

/** When a {@link Session.read} is given up. */
export interface ReadOptions {
  readonly signal?: AbortSignal;
  readonly timeout?: Duration;
}

/** One HTTP request: what it has in common with other sessions. */
export interface RequestSession extends Peer {
  /** As {@link Session.id}. */
  readonly id: number;
  readonly kind: "http";
  /** Ask for it before the request is answered: who asks first later than that may find its host empty. */
  readonly remote: Address;
  /** As {@link Session.via}. */
  readonly via: Via | undefined;
  /** As {@link Session.tls}; who asks first when the request was answered may find nothing. */
  readonly tls: TlsInfo | undefined;
  /**
   * Aborts when the peer has gone, or the server stops and its time is over (reason `drain`). Deno
   * says on stderr, the first time, that its flag `--unstable-no-legacy-abort` belongs to it.
   */
  readonly signal: AbortSignal;
  readonly log: Logger;
  /** As {@link Session.offence}. */
  offence(what: string): void;
}

/** What `fetch` is given beside the request; in a Hono app it is `c.env`. */
export interface RequestInfo {
  readonly session: RequestSession;
}
