/** The records of a service under test. */
import type { Address } from "../runtime/core/endpoint.ts";
import type { LogRecord } from "../runtime/core/record.ts";

export class SessionRecords {
  readonly all: LogRecord[] = [];

  /** Those of all sessions that an address has had. */
  from(address: Address): readonly LogRecord[] {
    const text = String(address);
    const sessions = new Set(
      this.all.flatMap(({ session, remote }) => remote === text ? session ?? [] : []),
    );
    return this.all.filter(({ session }) => session !== undefined && sessions.has(session));
  }

  /** What explains a failure: how these sessions ended, and errors; also those of no session. */
  told(records: readonly LogRecord[]): string[] {
    const general = this.all.filter(({ session }) => session === undefined);
    return [...general, ...records]
      .filter(({ event }) => event === "error" || event === "close" || event === "refuse")
      .map(describeRecord);
  }
}

/** `close session=3 reason=idle`. */
export function describeRecord(
  { event, time: _, level: __, service: ___, ...fields }: LogRecord,
): string {
  const words = Object.entries(fields).map(([key, value]) =>
    `${key}=${typeof value === "string" && !/\s/.test(value) ? value : JSON.stringify(value)}`
  );
  return [event, ...words].join(" ");
}
