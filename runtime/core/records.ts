/** The records of a session. A sink makes words of them; here nothing is made that nobody wants. */
import type { Address } from "./endpoint.ts";
import type { Fields, Level } from "./record.ts";
import type { Service } from "./service.ts";

/** What the records say of a session. */
export interface Recorded {
  readonly id: number;
  readonly remote: Address;
  readonly local: Address;
  readonly bytesIn: number;
  readonly bytesOut: number;
  /** Why it ended. */
  readonly reason: string | undefined;
}

/** `open`, or `refuse` with its rule or limit. */
export function recordArrival(
  { log, plan, outgoing }: Service,
  level: Level,
  event: "open" | "refuse",
  session: Recorded,
  why?: Fields,
): void {
  if (!log.wants(level)) return;
  log.emit(level, event, {
    service: plan.name,
    session: session.id,
    remote: String(session.remote),
    local: String(session.local),
    ...(outgoing && { outgoing }),
    ...why,
  });
}

/** `close`, with what went through; or with `found`, where that was not for us to see. */
export function recordClose(
  { log, plan }: Service,
  level: Level,
  session: Recorded,
  durationMs: number,
  found?: Fields,
): void {
  if (!log.wants(level)) return;
  const { id, bytesIn, bytesOut, reason } = session;
  log.emit(level, "close", {
    service: plan.name,
    session: id,
    durationMs,
    ...(found ?? { bytesIn, bytesOut }),
    reason,
  });
}
