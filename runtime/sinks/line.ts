import type { EventName, Level, LogRecord } from "../core/record.ts";

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

/** What stands between a time and a session, for the last record of each event: it is mostly the same again. */
const heads = new Map<EventName, { level: Level; service: string | undefined; text: string }>();

function headOf({ level, event, service }: LogRecord): string {
  const last = heads.get(event);
  if (last !== undefined && last.level === level && last.service === service) return last.text;
  const named = service === undefined ? "" : `,"service":${quote(service)}`;
  const text = `","level":"${level}","event":"${event}"${named}`;
  heads.set(event, { level, service, text });
  return text;
}

/** One record as a line of JSON with its LF: time, level, event, service, session, then the rest as it came. */
export function jsonLine(record: LogRecord): string {
  let text = `{"time":"${timestamp(record.time)}${headOf(record)}`;
  if (record.session !== undefined) text += `,"session":${record.session}`;
  for (const key in record) {
    const begin = keys.get(key) ?? learn(key);
    if (begin === "") continue;
    const value = record[key];
    if (typeof value === "number" && Number.isFinite(value)) text += begin + value;
    else if (value !== undefined) {
      const shown = toJson(value);
      if (shown !== undefined) text += begin + shown;
    }
  }
  return `${text}}\n`;
}

const LEADING = ["time", "level", "event", "service", "session"];
/** Before a value stands `,"key":`; before those that lead the line, nothing. The runtime's keys are few. */
const keys = new Map<string, string>(LEADING.map((key) => [key, ""]));
/** A plugin may invent a key for each record. */
const KEYS_MAX = 1000;

function learn(key: string): string {
  const begin = `,${quote(key)}:`;
  if (keys.size < KEYS_MAX) keys.set(key, begin);
  return begin;
}

/** Text that stands in JSON as it is; most does, and the test is cheaper than JSON.stringify. */
const PLAIN = /^[ !#-[\]-~]*$/;

function quote(text: string): string {
  return PLAIN.test(text) ? `"${text}"` : JSON.stringify(text);
}

/** A plugin may log anything: what JSON cannot hold becomes text instead of an error. */
function toJson(value: unknown): string | undefined {
  if (typeof value === "string") return quote(value);
  if (typeof value === "number") return Number.isFinite(value) ? String(value) : `"${value}"`;
  if (typeof value === "boolean") return value ? "true" : "false";
  if (typeof value === "bigint") return `"${value}"`;
  if (value instanceof Error) return quote(value.message);
  try {
    return JSON.stringify(value);
  } catch {
    return quote(String(value));
  }
}
