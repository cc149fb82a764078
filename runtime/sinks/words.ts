import type { LogRecord } from "../core/record.ts";
import { escape } from "./invisible.ts";

/** Fields that every record has; and `problem`, which an error's message says, too. */
const COMMON: readonly string[] = ["time", "level", "event", "service", "session", "problem"];

/** Fields that every record has, and those that {@link describeRecord} has already put into words. */
type Used = Set<string>;

/**
 * What a record says, for people, on one line, as the console has it: what cannot be seen is written as
 * escapes. Fields that have no words of their own follow as `name=value`; time, level and service are
 * left to whoever writes the line.
 */
export function describeRecord(record: LogRecord): string {
  const used: Used = new Set(COMMON);
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
    case "request":
      return `${field("method")} ${field("path")}: ${field("status")} to ${field("remote")}${
        why(record, field)
      } after ${field("durationMs")} ms`;
    case "datagram":
      return `datagram of ${field("remote")}${why(record, field)} after ${field("durationMs")} ms${
        traffic(record, field)
      }`;
    case "refuse":
      return refused(record, field);
    case "ban": {
      const until = record["until"] === undefined ? "" : ` until ${field("until")}`;
      return `ban of ${field("source")}${until}: ${field("cause")}`;
    }
    case "unban":
      return `end of the ban of ${field("source")} (${field("reason")}), ${
        field("refused")
      } refused`;
    case "error":
      return `${field("code")}: ${field("message")}${blame(record, field)}`;
    case "log":
      return field("text");
    case "reload":
      return record["restarted"] === true && field("restarted") !== "" ? "restarted" : record.event;
    default:
      return record.event;
  }
}

function closed(record: LogRecord, field: (name: string) => string): string {
  const peer = record["remote"] === undefined ? "" : `${field("remote")} `;
  return `${peer}closed${why(record, field)} after ${field("durationMs")} ms${
    traffic(record, field)
  }`;
}

/** Why it ended, and of an error which it was. */
function why(record: LogRecord, field: (name: string) => string): string {
  const reason = field("reason");
  if (reason === "" || (record.event !== "close" && reason === "done")) return "";
  if (reason === "peer") return " by the peer";
  const cause = record["code"] === undefined ? "" : ` (${field("code")}: ${field("message")})`;
  return `, ${reason}${cause},`;
}

function traffic(record: LogRecord, field: (name: string) => string): string {
  if (record["bytesIn"] === undefined) return "";
  return `, ${field("bytesIn")} B in, ${field("bytesOut")} B out`;
}

function refused(record: LogRecord, field: (name: string) => string): string {
  const why = record["rule"] === undefined ? `limit ${field("limit")}` : `rule ${field("rule")}`;
  if (record["count"] === undefined) {
    return `refused ${field("remote")} at ${field("local")}: ${why}`;
  }
  const whom = record["remote"] === undefined ? "others" : `the source of ${field("remote")}`;
  return `refused ${whom} ${field("count")} times more at ${field("local")}: ${why}`;
}

/** Whose fault, and where. */
function blame(record: LogRecord, field: (name: string) => string): string {
  const side = record["side"] === undefined ? "" : ` (${field("side")})`;
  const stack = field("stack");
  const at = field("at");
  const said = at !== "" && field("message").includes(at);
  if (at !== "") return said ? side : `${side} at ${at}`;
  const frame = /\n\s+(at .*)/.exec(stack)?.[1];
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
