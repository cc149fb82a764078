import type { Refusal } from "../core/admission/candidate.ts";
import type { Origin } from "../core/descriptors.ts";
import type { LogRecord } from "../core/record.ts";
import type { Statistics } from "../core/statistics.ts";
import type { Counters } from "../core/totals.ts";
import type { WorkerHandle } from "./handle.ts";
import type { Exit } from "./launch.ts";
import type { PendingSession } from "./pending.ts";

/** What a handle tells its pool. */
export interface HandleEvents {
  record(record: LogRecord): void;
  taken(session: PendingSession): void;
  /** A place for one that has come to the worker itself, or why not. */
  join(id: number, from: Origin): PendingSession | Refusal;
  gone(handle: WorkerHandle, session: PendingSession): void;
  /** Its modules are there: what it does until it is ready is up to its plugin. */
  loaded(): void;
  /** What its counters have grown by. */
  count(growth: Counters): void;
  /** What its statistics are and were, when they have changed. */
  statistics(now: Statistics, before: Statistics): void;
  /** The thread or process is no more, and nothing that it has said is unheard. */
  ended(handle: WorkerHandle, exit: Exit): void;
}
