/** How much a record matters. `error` is the plugin's or the operator's to repair. */
export type Level = "debug" | "info" | "warn" | "error";

/** The levels, from the least to the most. */
export const LEVELS: readonly Level[] = ["debug", "info", "warn", "error"];

/** What can happen. The set is part of the contract: sinks and their readers depend on it. */
export const EVENTS = [
  "start",
  "listening",
  "ready",
  "open",
  "close",
  "refuse",
  "ban",
  "unban",
  "request",
  "datagram",
  "error",
  "log",
  "status",
  "reload",
  "suspend",
  "resume",
  "worker",
  "drain",
  "stop",
] as const;

/** One of {@link EVENTS}. */
export type EventName = typeof EVENTS[number];

/**
 * Access records, one for each request and each datagram: for sinks alone that name them in `events`, and
 * not made where none does.
 */
export const ON_DEMAND: readonly EventName[] = ["request", "datagram"];

/**
 * One event with its fields. Words are a sink's choice. Values are JSON values; an absent field is
 * absent, never null.
 */
export interface LogRecord {
  /** Milliseconds since 1970; sinks write RFC 3339. */
  readonly time: number;
  readonly level: Level;
  readonly event: EventName;
  readonly service?: string;
  /** The same number in every record of one session. */
  readonly session?: number;
  readonly [field: string]: unknown;
}

/** The fields that a record adds to `time`, `level` and `event`. */
export type Fields = Readonly<Record<string, unknown>>;

/** Where records go. A sink that throws is switched off by the log, and reported once. */
export interface Sink {
  /** Takes a record; returns at once, whatever the destination does. */
  write(record: LogRecord): void;
  /** Resolves when all that was written has arrived, or is lost for good. */
  flush?(): Promise<void>;
  /** Opens its file anew, after a rotation (SIGHUP). */
  reopen?(): void;
  /** How many records it has had to give up so far. */
  dropped?(): number;
  /** Flushes and releases what it holds. Nothing is written afterwards. */
  close?(): Promise<void>;
}
