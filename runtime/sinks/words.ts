import type { LogRecord } from "../core/record.ts";

/** Fields that every record has, and those that {@link describe} has already put into words. */
type Used = Set<string>;

/**
 * What a record says, for people, on one line: control characters are written as escapes. Fields
 * that have no words of their own follow as `name=value`.
 */
export function describe(record: LogRecord): string {
  const used: Used = new Set(["time", "level", "event", "service", "session"]);
  const field = (name: string): string => {
    used.add(name);
    return toText(record[name]);
  };
  let text = record.session === undefined ? "" : `#${record.session} `;
  text += sentence(record, field);
  for (const name in record) {
    if (!used.has(name) && record[name] !== undefined) text += ` ${name}=${toText(record[name])}`;
  }
  return escape(text);
}

function sentence(record: LogRecord, field: (name: string) => string): string {
  switch (record.event) {
    case "start":
      return `portico ${field("version")} on ${field("runtime")}, process ${field("pid")}`;
    case "listening":
      return `listening on ${field("endpoint")}`;
    case "open":
      return `open from ${field("remote")} to ${field("local")}`;
    case "close":
      return closed(record, field);
    case "refuse":
      return refused(record, field);
    case "error":
      return `${field("code")}: ${field("message")}${blame(record, field)}`;
    case "log":
      return field("text");
    default:
      return record.event;
  }
}

function closed(record: LogRecord, field: (name: string) => string): string {
  const why = record["reason"] === undefined
    ? ""
    : record["reason"] === "peer"
    ? " by the peer"
    : `, ${field("reason")},`;
  field("reason");
  const bytes = record["bytesIn"] === undefined
    ? ""
    : `, ${field("bytesIn")} B in, ${field("bytesOut")} B out`;
  return `closed${why} after ${field("durationMs")} ms${bytes}`;
}

function refused(record: LogRecord, field: (name: string) => string): string {
  const why = record["rule"] === undefined ? `limit ${field("limit")}` : `rule ${field("rule")}`;
  return `refused ${field("remote")} at ${field("local")}: ${why}`;
}

/** Whose fault, and of a stack the frame that says where. */
function blame(record: LogRecord, field: (name: string) => string): string {
  const side = record["side"] === undefined ? "" : ` (${field("side")})`;
  const frame = /\n\s+(at .*)/.exec(field("stack"))?.[1];
  return frame === undefined ? side : `${side} ${frame}`;
}

/** A value as text: objects as JSON. */
export function toText(value: unknown): string {
  if (typeof value === "string") return value;
  if (value === undefined) return "";
  if (value instanceof Error) return value.message;
  if (typeof value !== "object" || value === null) return String(value);
  try {
    return JSON.stringify(value);
  } catch {
    return String(value);
  }
}

/** A peer's bytes may reach a log: nothing in them may move the cursor or begin a new line. */
export function escape(text: string): string {
  return text.replace(
    /\p{Cc}/gu,
    (character) =>
      character === "\n" ? "\\n" : `\\x${character.charCodeAt(0).toString(16).padStart(2, "0")}`,
  );
}
