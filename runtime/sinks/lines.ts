import type { LogRecord, Sink } from "../core/record.ts";
import type { Writer } from "./writer.ts";

/**
 * Writes each record as a line. Where the reader is too slow records are lost, and the first line
 * that gets through again is followed by one that says how many.
 */
export function lineSink(
  writer: Pick<Writer, "push" | "flush">,
  format: (record: LogRecord) => string,
): Sink {
  let lost = 0;
  return {
    write(record) {
      if (!writer.push(format(record))) lost++;
      else if (lost > 0) {
        writer.push(format({
          time: record.time,
          level: "warn",
          event: "error",
          code: "SINK_FAILED",
          message: `${lost} records were lost: the reader of the log is too slow`,
          side: "host",
        }));
        lost = 0;
      }
    },
    flush: () => writer.flush(),
  };
}
