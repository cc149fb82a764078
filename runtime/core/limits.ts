/** How much a service takes: counts, rates and deadlines. Durations are milliseconds, sizes bytes, `Infinity` is no limit. */
import type { SourcePrefixes } from "./access/source.ts";
import type { Overflow } from "./admission/overflow.ts";

/** A token bucket, refilled by `count` over `per` ms; it holds `burst`, or `count`, and is full at first. */
export interface RateLimit {
  readonly count: number;
  readonly per: number;
  readonly burst?: number;
}

/** One for each way of a session: what its peer sends, and what it is sent. */
export interface EachWay<Value> {
  readonly in: Value;
  readonly out: Value;
}

/** What is too much to do for newcomers: either of both. */
export interface LoadLimit {
  /** Of the machine, over one minute, as uptime(1) has it. */
  readonly average?: number;
  /** How late the event loop is, in ms. */
  readonly delay?: number;
}

/** So many bytes at least in so many ms; none of it where `per` is Infinity. */
export interface Progress {
  readonly bytes: number;
  readonly per: number;
}

/** Counts, rates and deadlines of one service, and what happens at the limit. */
export interface Limits {
  /** Sessions at once, held ones too. */
  readonly sessions: number;
  /** Sessions at once from one {@link source}. */
  readonly perSource: number;
  /** What counts as one source: prefixes of addresses; over Unix sockets of streams a user. */
  readonly source: SourcePrefixes;
  /** New sessions of the whole service. */
  readonly rate: RateLimit;
  /** New sessions, requests and datagrams of one source; absent: as many as there are. */
  readonly ratePerSource?: RateLimit;
  /** In its place for datagrams; that of the plugin where a manifest says neither. */
  readonly datagramRate?: RateLimit;
  /**
   * Bytes a second of one session; absent: as quick as it goes. Its burst is a tenth of a second's where
   * none is said. Of streams and of the bodies of HTTP.
   */
  readonly bytesPerSecond?: Partial<EachWay<RateLimit>>;
  /**
   * Of UDP: how many times the bytes of a datagram may be sent in answer to it, while its sender has not shown
   * that it is at its address; absent: no limit.
   */
  readonly amplification?: number;
  /** Bytes of one session, request or datagram; beyond it a session ends, and a request or datagram is refused. */
  readonly bytes?: Partial<EachWay<number>>;
  /**
   * `refuse` records of one source and cause that are written one by one; what is beyond is summed up. Absent:
   * each.
   */
  readonly refuseRecords?: RateLimit;
  /** Without a byte in either direction. */
  readonly idle: number;
  /** From the open to the first byte of the peer. */
  readonly firstByte: number;
  /** It was said, and holds where the server speaks first, too; else while nothing has gone either way. */
  readonly firstByteSaid: boolean;
  /** Of what is under way: a frame of the peer, what it was sent and does not take. */
  readonly progress: Progress;
  /** From the open to the close; of HTTP, from a request to the end of its answer. */
  readonly lifetime: number;
  /** Of a promise that a hook has returned, until it is settled. */
  readonly handler: number;
  /** Of TLS, from its beginning to its end. */
  readonly handshake: number;
  /** Handshakes of TLS that are under way at once; who comes beyond waits unread. */
  readonly handshakes: number;
  /** How long a session may be held before its turn; then it is refused. */
  readonly hold: number;
  /** Bytes written and not yet sent, above which the session ends. */
  readonly writeBuffer: number;
  /** How many may wait at once, for a place or a turn, and the memory that they may take. */
  readonly waiting: { readonly sessions: number; readonly bytes: number };
  /** What becomes of newcomers at a limit. */
  readonly overflow: Overflow;
  /** How long nobody is accepted once {@link rate} was exceeded; 0: newcomers are asked one by one. */
  readonly rest: number;
  /** Above which newcomers are refused; absent: nobody asks. */
  readonly load?: LoadLimit;
  /** How long `stop` waits for sessions to end. */
  readonly drain: number;
  /** How long the plugin's `start` may take. */
  readonly start: number;
  /** How long a worker's event loop may be blocked before the worker is replaced. */
  readonly stall: number;
}
