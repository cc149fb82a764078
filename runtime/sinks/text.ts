import { readlinkSync } from "node:fs";
import process from "node:process";
import type { Level, LogRecord } from "../core/record.ts";
import { escape } from "./invisible.ts";
import { timestamp } from "./line.ts";
import type { LineFormat } from "./lines.ts";
import type { TextBuffer } from "./text-buffer.ts";
import { consoleWords } from "./block.ts";
import { describeRecord } from "./words.ts";

/** The name in the service column of records that concern the whole server. */
const SERVER = "portico";

/** One record as a line for people, with its LF: `2026-11-20T12:00:00.000Z info  echo     listening on …`. */
export function textLine(record: LogRecord, out: TextBuffer): void {
  const service = escape(record.service ?? SERVER).padEnd(SERVER.length);
  out.text(`${timestamp(record.time)} ${record.level.padEnd(5)} ${service} `);
  out.text(describeRecord(record));
  out.text("\n");
}

const RESET = "\u001b[0m";
const DIM = "\u001b[2m";
const COLOURS: Readonly<Record<Level, string>> = {
  debug: DIM,
  info: "\u001b[32m",
  warn: "\u001b[33m",
  error: "\u001b[31m",
};

/** Makes lines for a terminal: local time of day, and a service column as wide as the longest name so far. @param frames as {@link consoleWords}. */
export function terminalLines(colour: boolean, frames = false): LineFormat {
  const wordsOf = consoleWords(frames);
  const inUtc = isUtc();
  let width = SERVER.length;
  return (record, out) => {
    const service = escape(record.service ?? SERVER);
    width = Math.max(width, service.length);
    const time = clock(record.time, inUtc);
    const level = record.level.padEnd(5);
    const words = `${service.padEnd(width)}  ${wordsOf(record)}\n`;
    out.text(
      colour
        ? `${DIM}${time}${RESET}  ${COLOURS[record.level]}${level}${RESET}  ${words}`
        : `${time}  ${level}  ${words}`,
    );
  };
}

/** The local time of day: to ask for it, Bun loads its table of time zones, which costs 3 ms and 3 MB. */
function clock(time: number, inUtc: boolean): string {
  const date = new Date(time);
  if (inUtc) return date.toISOString().slice(11, 23);
  const two = (part: number): string => String(part).padStart(2, "0");
  return `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}.${
    String(date.getMilliseconds()).padStart(3, "0")
  }`;
}

/** Whether local time is UTC, as on most servers; false where that is not to be seen at once. */
function isUtc(): boolean {
  const { TZ } = process.env;
  if (TZ !== undefined) return TZ === "UTC" || TZ === "Etc/UTC";
  try {
    return /\/(?:Etc\/)?UTC$/.test(readlinkSync("/etc/localtime"));
  } catch {
    return false;
  }
}
