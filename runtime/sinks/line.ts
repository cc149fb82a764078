import type { EventName, Level, LogRecord } from "../core/record.ts";
import { toJson } from "./invisible.ts";
import type { TextBuffer } from "./text-buffer.ts";

let lastTime = NaN;
let lastText = "";

/** RFC 3339 in UTC with milliseconds. Records come in bursts, so the last answer is kept. */
export function timestamp(time: number): string {
  if (time !== lastTime) {
    lastText = new Date(time).toISOString();
    lastTime = time;
  }
  return lastText;
}

const ENCODER = new TextEncoder();
const BEGIN: Uint8Array = ENCODER.encode('{"time":"');
const SESSION: Uint8Array = ENCODER.encode(',"session":');
const END: Uint8Array = ENCODER.encode("}\n");

/** What stands between a time and a session, for the last record of each event: it is mostly the same again. */
const heads = new Map<
  EventName,
  { level: Level; service: string | undefined; bytes: Uint8Array }
>();

function headOf({ level, event, service }: LogRecord): Uint8Array {
  const last = heads.get(event);
  if (last !== undefined && last.level === level && last.service === service) return last.bytes;
  const named = service === undefined ? "" : `,"service":${toJson(service)}`;
  const text = `","level":"${level}","event":"${event}"${named}`;
  const bytes = ENCODER.encode(text);
  heads.set(event, { level, service, bytes });
  return bytes;
}

/** One record as a line of JSON with its LF: time, level, event, service, session, then the rest as it came. */
export function jsonLine(record: LogRecord, out: TextBuffer): void {
  out.raw(BEGIN);
  out.text(timestamp(record.time));
  out.raw(headOf(record));
  if (record.session !== undefined) {
    out.raw(SESSION);
    out.number(record.session);
  }
  for (const key in record) {
    const begin = keys.get(key) ?? learn(key);
    if (begin.length === 0) continue;
    const value = record[key];
    if (typeof value === "string") {
      out.raw(begin);
      out.quoted(value);
    } else if (typeof value === "number" && Number.isFinite(value)) {
      out.raw(begin);
      out.number(value);
    } else if (value !== undefined) {
      const shown = shownAs(value);
      if (shown === undefined) continue;
      out.raw(begin);
      out.text(shown);
    }
  }
  out.raw(END);
}

const NOTHING = new Uint8Array();
const LEADING = ["time", "level", "event", "service", "session"];
/** Before a value stands `,"key":`; before those that lead the line, nothing. The runtime's keys are few. */
const keys = new Map<string, Uint8Array>(LEADING.map((key) => [key, NOTHING]));
/** A plugin may invent a key for each record. */
const KEYS_MAX = 1000;

function learn(key: string): Uint8Array {
  const begin = ENCODER.encode(`,${toJson(key)}:`);
  if (keys.size < KEYS_MAX) keys.set(key, begin);
  return begin;
}

/** A plugin may log anything: what JSON cannot hold becomes text instead of an error. */
function shownAs(value: unknown): string | undefined {
  if (typeof value === "number" || typeof value === "bigint") return `"${value}"`;
  if (typeof value === "boolean") return value ? "true" : "false";
  if (value instanceof Error) return toJson(value.message);
  try {
    return toJson(value);
  } catch {
    return toJson(String(value));
  }
}
