import type { Sink } from "../../core/record.ts";
import { jsonLine } from "../line.ts";
import { lineSink, notice } from "../lines.ts";
import { textLine } from "../text.ts";
import { TextBuffer } from "../text-buffer.ts";
import { Writer } from "../writer.ts";
import { LogFile, type LogFileInput } from "./log-file.ts";
import type { FileOwner } from "./owner.ts";

/** The options of a `file` sink. */
export interface FileOptions extends Omit<LogFileInput, "say" | "warn" | "owner"> {
  readonly format: "json" | "text";
}

/** A file with those who write to it, until it is put away. */
interface OpenLogFile {
  readonly file: LogFile;
  readonly writer: Writer;
  readonly sink: Sink;
}

/**
 * Appends records to a file, each as one line, and lines whole: several servers may write to one file.
 * While it cannot be written to (the disk is full, the folder is gone) lines are held as far as there is
 * room, then dropped.
 *
 * @param warn tells the operator.
 * @param owner whose the files are that root makes.
 * @throws PorticoError ENOENT, EACCES … when the file cannot be opened.
 */
export function openFile(
  options: FileOptions,
  warn: (message: string) => void,
  owner?: FileOwner,
): Sink {
  const line = options.format === "json" ? jsonLine : textLine;
  const say = (message: string): Uint8Array => {
    const out = new TextBuffer();
    line(notice(Date.now(), message), out);
    return out.bytes;
  };
  const open = (): OpenLogFile => {
    const file = new LogFile({ ...options, owner, say, warn });
    const writer = new Writer(file);
    return { file, writer, sink: lineSink(writer, line) };
  };
  let now = open();
  let closed = false;
  /** By files that are not ours any more. */
  let dropped = 0;
  /** Files of before a `reopen`, until the last byte for them is out. */
  const leaving = new Map<OpenLogFile, Promise<void>>();
  const droppedBy = ({ file, sink }: OpenLogFile): number => file.dropped + sink.dropped!();

  const leave = (opened: OpenLogFile): void => {
    const { file, writer } = opened;
    const done = writer.close().then(async () => {
      file.close();
      const { abandoned } = writer;
      if (abandoned > 0) {
        warn(`${abandoned} records were lost: ${options.path} could not be written to`);
      }
      await file.settled();
      dropped += droppedBy(opened);
      leaving.delete(opened);
    });
    leaving.set(opened, done);
  };
  return {
    write(record) {
      if (now.file.takes) now.sink.write(record);
      else now.file.dropped++;
    },
    async flush() {
      await Promise.all([...leaving.values(), now.writer.flush()]);
    },
    reopen() {
      const next = open();
      leave(now);
      now = next;
    },
    dropped() {
      const open = closed ? [...leaving.keys()] : [...leaving.keys(), now];
      return open.reduce((sum, one) => sum + droppedBy(one), dropped);
    },
    async close() {
      closed = true;
      leave(now);
      await Promise.all(leaving.values());
    },
  };
}
