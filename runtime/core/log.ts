import { messageOf } from "./errors.ts";
import {
  type EventName,
  type Fields,
  type Level,
  LEVELS,
  type LogRecord,
  type Sink,
} from "./record.ts";

/** The order of the levels, and what is above them all. */
const RANK: Readonly<Record<Level, number>> = { debug: 0, info: 1, warn: 2, error: 3 };
const SILENT = 4;

/** A sink with the least level that it wants. */
export interface Outlet {
  /** For the report when it fails: `console`, `file`, or the name in `sinks`. */
  readonly name: string;
  readonly sink: Sink;
  readonly level: Level;
}

/**
 * Makes records and hands them to the sinks. What nobody wants is never made: ask {@link wants}
 * before fields are put together on a hot path.
 */
export class Log {
  readonly #outlets: { name: string; sink: Sink; level: number; broken: boolean }[];
  readonly #broken: (name: string, error: unknown) => void;
  #threshold: number;

  /** @param broken is told once for each sink that throws. */
  constructor(outlets: readonly Outlet[], broken: (name: string, error: unknown) => void) {
    this.#outlets = outlets.map(({ name, sink, level }) => ({
      name,
      sink,
      level: RANK[level],
      broken: false,
    }));
    this.#broken = broken;
    this.#threshold = this.#lowest();
  }

  /** Whether any sink takes records of this level. */
  wants(level: Level): boolean {
    return RANK[level] >= this.#threshold;
  }

  /** The least level that any sink takes; undefined when none takes anything. */
  get level(): Level | undefined {
    return LEVELS[this.#threshold];
  }

  /** Makes one record and gives it to each sink that wants its level. Never throws. */
  emit(level: Level, event: EventName, fields: Fields): void {
    const rank = RANK[level];
    if (rank < this.#threshold) return;
    this.pass({ time: Date.now(), level, event, ...fields });
  }

  /** Hands on a record that was made elsewhere, in a worker. Never throws. */
  pass(record: LogRecord): void {
    const rank = RANK[record.level];
    for (const outlet of this.#outlets) {
      if (outlet.broken || rank < outlet.level) continue;
      try {
        outlet.sink.write(record);
      } catch (error) {
        outlet.broken = true;
        this.#threshold = this.#lowest();
        this.#broken(outlet.name, error);
      }
    }
  }

  #lowest(): number {
    return this.#outlets.reduce(
      (least, outlet) => outlet.broken ? least : Math.min(least, outlet.level),
      SILENT,
    );
  }
}

/** The fields of an `error` record. */
export function errorFields(error: { code?: unknown; side?: unknown }): Record<string, unknown> {
  const cause = (error as { cause?: unknown }).cause;
  const stack = error instanceof Error && (error as { side?: unknown }).side === "plugin" &&
      cause instanceof Error
    ? cause.stack
    : undefined;
  return {
    code: error.code,
    message: messageOf(error),
    side: error.side,
    ...(stack !== undefined && { stack }),
  };
}
