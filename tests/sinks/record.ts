/** Records for tests of sinks. */
import type { LogRecord } from "../../runtime/core/record.ts";
import { jsonLine } from "../../runtime/sinks/line.ts";
import type { LineFormat } from "../../runtime/sinks/lines.ts";
import { TextBuffer } from "../../runtime/sinks/text-buffer.ts";

export const TIME: number = Date.UTC(2026, 10, 20, 12);

export function record(fields: Partial<LogRecord> = {}): LogRecord {
  return { time: TIME, level: "info", event: "log", ...fields };
}

/** What a format makes of a record. */
export function lineOf(format: LineFormat, record: LogRecord): string {
  const out = new TextBuffer();
  format(record, out);
  return new TextDecoder().decode(out.bytes);
}

export function json(record: LogRecord): string {
  return lineOf(jsonLine, record);
}
