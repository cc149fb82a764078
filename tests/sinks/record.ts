/** Records for tests of sinks. */
import type { LogRecord } from "../../runtime/core/record.ts";

export const TIME: number = Date.UTC(2026, 10, 20, 12);

export function record(fields: Partial<LogRecord> = {}): LogRecord {
  return { time: TIME, level: "info", event: "log", ...fields };
}
