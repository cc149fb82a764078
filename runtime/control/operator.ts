import type { LogRecord } from "../core/record.ts";
import type { Delays } from "../core/statistics.ts";
import type { Control } from "./control.ts";

/** Is told of a record. Never throws, and returns at once. */
export type RecordListener = (record: LogRecord) => void;

/**
 * The server itself, for the built-in plugin `admin` alone: whoever has it can stop every service,
 * so no other plugin is given it, whatever its name.
 */
export interface Operator {
  /** @throws PorticoError NOT_RUNNING while the server is starting. */
  readonly control: Control;
  /** In the text format of Prometheus, with its media type. */
  metrics(): Promise<{ readonly type: string; readonly text: string }>;
  /**
   * How late timers came on the event loop of the supervisor, from the first call on; from then on
   * workers count theirs as well (`tally.delays`).
   */
  delays(): Readonly<Delays>;
  /** The upper bounds, in seconds, of the buckets of delays and of `tally.durations`; the last one has none. */
  readonly bounds: { readonly delays: readonly number[]; readonly durations: readonly number[] };
  /** The last records of level `info` and above, then those to come. @returns ends it. */
  records(listener: RecordListener): () => void;
}
