/** What a manifest may say of limits, as types: see `manifest.ts`. */
import type { OverflowWord } from "../core/admission/overflow.ts";
import type { Duration } from "../core/units.ts";

/** A whole number above 0, also as text; `none` for no limit. */
export type ManifestCount = number | string;
/** `50/s`, `600/m`, `1000/h`, or its parts; `none` for no limit. */
export type ManifestRate = string | {
  count: number;
  per: Duration;
  /** How many at once; as many as `count` when silent. */
  burst?: number | undefined;
};
/** `1KiB/30s`, or its parts: so many bytes at least in so long; `none` for no limit. */
export type ManifestProgress = string | { bytes: ManifestSize; per: Duration };
/** `64KiB`, `10MB`, or bytes. */
export type ManifestSize = number | string;

/** One for both ways of a session, or for what its peer sends and what it is sent. */
export type ManifestEachWay<Value> = Value | { in?: Value | undefined; out?: Value | undefined };

/** A word for each limit. `hold` is an older name of `wait`. */
export interface ManifestOverflow {
  sessions?: OverflowWord | "hold" | undefined;
  perSource?: OverflowWord | "hold" | undefined;
  rate?: Exclude<OverflowWord, "shed"> | "hold" | undefined;
  ratePerSource?: Exclude<OverflowWord, "shed" | "wait"> | undefined;
  load?: Exclude<OverflowWord, "shed" | "wait"> | undefined;
}

/** Limits of a service. Durations and sizes take `none`, too. */
export interface ManifestLimits {
  /** Sessions at once, held ones too. */
  sessions?: ManifestCount | undefined;
  /** Sessions at once from one source. */
  perSource?: ManifestCount | undefined;
  /** What counts as one source, by the bits of a prefix; 32 and 64 when silent. */
  source?: { ipv4?: number | undefined; ipv6?: number | undefined } | undefined;
  /** New sessions of the whole service. */
  rate?: ManifestRate | undefined;
  /** New sessions, requests and datagrams from one source. */
  ratePerSource?: ManifestRate | undefined;
  /** Of datagrams over UDP, in the place of `ratePerSource`; the plugin's own when neither is said. */
  datagramRate?: ManifestRate | undefined;
  /** `refuse` records of one source and cause that are written one by one; what is beyond is summed up. */
  refuseRecords?: ManifestRate | undefined;
  /** Bytes a second of one session, as `1MiB burst 4MiB`; not of datagrams. */
  bytesPerSecond?: ManifestEachWay<ManifestSize> | undefined;
  /** Of UDP: how many times the bytes of a datagram may be sent in answer, while nobody knows that its sender is there. */
  amplification?: number | string | undefined;
  /** Bytes of one session, request or datagram. */
  bytes?: ManifestEachWay<ManifestSize> | undefined;
  /** Of TLS, from the open to its end. */
  handshake?: Duration | undefined;
  /** Handshakes of TLS that are under way at once. */
  handshakes?: ManifestCount | undefined;
  /** From the open to the first byte of the peer; when silent, while nothing has gone either way; not of HTTP. */
  firstByte?: Duration | undefined;
  /** How long a session may stay without a byte in either direction; not of HTTP. */
  idle?: Duration | undefined;
  /** What has to move at least while something is under way, in or out. */
  progress?: ManifestProgress | undefined;
  /** From the open to the close; of HTTP, from a request to the end of its answer. */
  lifetime?: Duration | undefined;
  /** How long a promise of a hook may take. */
  handler?: Duration | undefined;
  /** How long a session may wait for its turn. */
  wait?: Duration | undefined;
  /** What `wait` was called before. */
  hold?: Duration | undefined;
  /** Bytes written and not yet sent, above which a session ends; not of HTTP. */
  writeBuffer?: ManifestSize | undefined;
  /** How many may wait, for a place or a turn, and what they may take of memory. */
  waiting?: number | {
    sessions?: ManifestCount | undefined;
    bytes?: ManifestSize | undefined;
  } | undefined;
  /** What becomes of newcomers at a limit; `refuse` when silent. */
  overflow?: OverflowWord | "hold" | ManifestOverflow | undefined;
  /** How long nobody is accepted once `rate` was exceeded. */
  rest?: Duration | undefined;
  /** Above which newcomers are refused: the machine's load average, or how late the event loop is. */
  load?: number | { average?: number | undefined; delay?: Duration | undefined } | undefined;
  /** How long a stop waits for sessions to end. */
  drain?: Duration | undefined;
  /** How long the plugin's start may take. */
  start?: Duration | undefined;
  /** How long a worker's event loop may be blocked before it is replaced. */
  stall?: Duration | undefined;
}
