import type { LogRecord } from "../core/record.ts";

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

/** One record as a line of JSON with its LF: time, level, event, service, session, then the rest as it came. */
export function jsonLine(record: LogRecord): string {
  let text = `{"time":"${
    timestamp(record.time)
  }","level":"${record.level}","event":"${record.event}"`;
  if (record.service !== undefined) text += `,"service":${quote(record.service)}`;
  if (record.session !== undefined) text += `,"session":${record.session}`;
  for (const key in record) {
    if (LEADING.has(key)) continue;
    const value = record[key];
    if (value === undefined) continue;
    const shown = toJson(value);
    if (shown !== undefined) text += `,${quote(key)}:${shown}`;
  }
  return `${text}}\n`;
}

const LEADING = new Set(["time", "level", "event", "service", "session"]);
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
