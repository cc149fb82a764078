/** What a runtime is asked for where a connection is to be made. */
import type { NamedEndpoint, StreamTable } from "../runtime/core/contract.ts";

/** A connect under way, which may take too long. */
export interface Attempt {
  /** Its time is up: a connection that is made now is not for the core. */
  late: boolean;
  /** Set by who connects: has the runtime give up. The connect fails by that. */
  giveUp(): void;
}

/**
 * As {@link Adapter.connect}, to a TCP or Unix endpoint.
 *
 * @throws what the runtime throws.
 */
export type Connect = (
  endpoint: NamedEndpoint,
  table: StreamTable,
  data: unknown,
  attempt: Attempt,
) => Promise<void>;

/** The time of an attempt is up. */
export function giveUp(attempt: Attempt): void {
  attempt.late = true;
  attempt.giveUp();
}
