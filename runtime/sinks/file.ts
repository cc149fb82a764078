import { closeSync, openSync } from "node:fs";
import { type Code, codeOf, messageOf, PorticoError } from "../core/errors.ts";
import type { Sink } from "../core/record.ts";
import { jsonLine } from "./line.ts";
import { lineSink } from "./lines.ts";
import { textLine } from "./text.ts";
import { Writer } from "./writer.ts";

/**
 * Appends records to a file. A failed write (a full disk) is thrown by the next `write`, upon which
 * the log switches the sink off.
 *
 * @throws PorticoError ENOENT, EACCES … when the file cannot be opened.
 */
export function openFile(
  { path, format }: { readonly path: string; readonly format: "json" | "text" },
): Sink {
  let failure: Error | undefined;
  const failed = (error: Error): void => {
    failure ??= error;
  };
  const line = format === "json" ? jsonLine : textLine;
  let descriptor = open(path);
  let writer = new Writer(descriptor, failed);
  let lines = lineSink(writer, line);
  /** Writers of files that were rotated away, until their last byte is out. */
  const leaving = new Set<Promise<void>>();

  const leave = (): void => {
    const old = descriptor;
    const done = writer.close().then(() => {
      closeSync(old);
      leaving.delete(done);
    });
    leaving.add(done);
  };
  return {
    write(record) {
      if (failure !== undefined) throw failure;
      lines.write(record);
    },
    async flush() {
      await Promise.all([...leaving, writer.flush()]);
    },
    reopen() {
      const next = open(path);
      leave();
      descriptor = next;
      writer = new Writer(next, failed);
      lines = lineSink(writer, line);
    },
    async close() {
      leave();
      await Promise.all(leaving);
    },
  };
}

function open(path: string): number {
  try {
    return openSync(path, "a", 0o640);
  } catch (error) {
    const code: Code = codeOf(error) ?? "SINK_FAILED";
    throw new PorticoError(code, `Cannot open ${path} as a log file: ${messageOf(error)}`, {
      cause: error,
      side: "config",
    });
  }
}
