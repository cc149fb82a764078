/** What a load has come to. Every connection that was tried is in exactly one of the counts. */
import type { Percentiles } from "./latency.ts";

/** How a short connection ended. */
export type Outcome =
  /** Every byte came back, and then the end. */
  | "completed"
  /** Nobody listened, or the queue was full. */
  | "refused"
  /** It was torn down before every byte had come back. */
  | "reset"
  /** It did not end in time. */
  | "timedOut"
  /** It was ended in order before every byte had come back. */
  | "closedEarly"
  /** Bytes came back that had not been sent. */
  | "wrong"
  /** This machine had no port or descriptor for it, several times over: not the server's doing. */
  | "own";

/** A connection that failed, as an example. */
export interface Failed {
  readonly connection: number;
  readonly outcome: Outcome;
  readonly code: string | undefined;
  /** Milliseconds since the start of the load. */
  readonly at: number;
  readonly missing: number;
}

/** Counts of a {@link ShortLoad}. */
export interface ShortReport extends Readonly<Record<Outcome, number>> {
  /** The sum of the outcomes and of `open`. */
  readonly tried: number;
  readonly open: number;
  /** All outcomes but `completed` and `own`. */
  readonly failed: number;
  /** Of the completed: those that were reset after their last byte, in the place of an end. */
  readonly unclean: number;
  /** Attempts that found no free port here, and were made again from another address. */
  readonly retried: number;
  readonly seconds: number;
  readonly bytesSent: number;
  readonly bytesReceived: number;
  /** Bytes that were sent and did not come back; bytes that came back and had not been sent. */
  readonly missingBytes: number;
  readonly wrongBytes: number;
  /** From the connect to the end, without `holdMs`; of the completed ones. */
  readonly latency: Percentiles;
  /** The kernel's words for what went wrong. */
  readonly codes: Readonly<Record<string, number>>;
  /** The first failures. */
  readonly failures: readonly Failed[];
}

/** Counts of a {@link LongLoad}. */
export interface LongReport {
  readonly connections: number;
  readonly alive: number;
  /** Connections that could not be made, or did not last. */
  readonly broken: number;
  readonly pings: number;
  readonly answered: number;
  /** Sent, and not answered when their connection broke; 0 for those under way. */
  readonly lost: number;
  readonly wrongBytes: number;
  readonly seconds: number;
  /** From a ping to the last byte of its answer. `max` is the longest silence that anyone noticed. */
  readonly latency: Percentiles;
  readonly codes: Readonly<Record<string, number>>;
}
