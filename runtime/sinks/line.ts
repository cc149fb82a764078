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
const BEGIN = '{"time":"';
const SESSION = ',"session":';
const END: Uint8Array = ENCODER.encode("}\n");
/** Characters of a time. */
const TIME = 24;

/** All that stands before the number of a session, for the last record of each event: it is mostly the same again. */
interface Head {
  readonly level: Level;
  readonly service: string | undefined;
  readonly bytes: Uint8Array;
  /** What its bytes say. */
  time: number;
}

const heads = new Map<EventName, Head>();

function headOf({ time, level, event, service }: LogRecord): Head {
  let head = heads.get(event);
  if (head === undefined || head.level !== level || head.service !== service) {
    const named = service === undefined ? "" : `,"service":${toJson(service)}`;
    const text = `${BEGIN}${
      " ".repeat(TIME)
    }","level":"${level}","event":"${event}"${named}${SESSION}`;
    heads.set(event, head = { level, service, bytes: ENCODER.encode(text), time: NaN });
  }
  if (time !== head.time) {
    const text = timestamp(time);
    for (let i = 0; i < TIME; i++) head.bytes[BEGIN.length + i] = text.charCodeAt(i);
    head.time = time;
  }
  return head;
}

/** One record as a line of JSON with its LF: time, level, event, service, session, then the rest as it came. */
export function jsonLine(record: LogRecord, out: TextBuffer): void {
  const { bytes } = headOf(record);
  const { session } = record;
  if (session === undefined) out.raw(bytes.subarray(0, -SESSION.length));
  else {
    out.raw(bytes);
    out.number(session);
  }
  for (const key in record) {
    if (isLeading(key)) continue;
    const begin = keys.get(key) ?? learn(key);
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

function isLeading(key: string): boolean {
  return key === "time" || key === "level" || key === "event" || key === "service" ||
    key === "session";
}

/** Before a value stands `,"key":`. The runtime's keys are few. */
const keys = new Map<string, Uint8Array>();
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
