import type { LogRecord, Sink } from "../core/record.ts";
import type { TextBuffer } from "./text-buffer.ts";
import type { Writer } from "./writer.ts";

/** Puts a record as one line, with its LF. */
export type LineFormat = (record: LogRecord, out: TextBuffer) => void;

/** What a sink says of itself, in the log: a warning. */
export function notice(time: number, message: string): LogRecord {
  return { time, level: "warn", event: "error", code: "SINK_FAILED", message, side: "host" };
}

/**
 * Writes each record as a line. Where the destination takes no more records are lost; as soon as it does
 * again, a line says how many.
 */
export function lineSink(
  writer: Pick<Writer, "room" | "wrote" | "flush" | "onRelief" | "reason" | "abandoned">,
  format: LineFormat,
): Sink {
  let dropped = 0;
  /** How many of them the log has been told of. */
  let told = 0;
  let reason = "";
  const put = (record: LogRecord, urgent: boolean): boolean => {
    const out = writer.room();
    if (out === undefined) return false;
    const before = out.length;
    try {
      format(record, out);
    } catch (error) {
      out.length = before;
      throw error;
    }
    writer.wrote(urgent);
    return true;
  };
  const tell = (): void => {
    const lost = dropped - told;
    if (lost === 0) return;
    const text = `${lost} ${lost === 1 ? "record was" : "records were"} lost: ${reason}`;
    if (put(notice(Date.now(), text), true)) told = dropped;
  };
  writer.onRelief(tell);
  return {
    write(record) {
      const urgent = record.level === "warn" || record.level === "error";
      if (!put(record, urgent)) {
        dropped++;
        reason = writer.reason;
      } else if (told !== dropped) tell();
    },
    flush: () => writer.flush(),
    dropped: () => dropped + writer.abandoned,
  };
}
