/** The syslog protocol, RFC 5424. */
import type { LogRecord } from "../../core/record.ts";
import { timestamp } from "../line.ts";
import { escape } from "../invisible.ts";
import { describeRecord, toText } from "../words.ts";
import { ASCII, cut, sizeOf } from "./cut.ts";
import { facilityOf, type Originator, printable } from "./header.ts";
import { SEVERITIES } from "./priority.ts";

/** What the structured data does not repeat: the header has it. */
const IN_HEADER: ReadonlySet<string> = new Set(["time", "level", "event"]);
/** The longest SD-NAME. */
const NAME_MAX = 32;
/** Before a message whose text is not all ASCII (§6.4). */
const BOM = "\uFEFF";
/** The last time of four digits for the year. */
const TIME_MAX = 253_402_300_799_999;

/** How a record is written; its fields are in an element with this SD-ID. */
export interface Rfc5424Originator extends Originator {
  readonly sdId: string;
}

/**
 * Makes messages of records: the header, every field as a parameter of the structured data, and the
 * record in words. Control characters are written as escapes (`\n`, `\x00`) wherever they occur.
 *
 * What is larger than `maxSize` loses whole parameters first, those that leave too little room for
 * the text, and says how many (`omitted`); then the text is cut.
 */
export function rfc5424(originator: Rfc5424Originator): (record: LogRecord) => Uint8Array {
  const { hostname, appName, pid, maxSize, sdId } = originator;
  const facility = facilityOf(originator);
  const from = `${printable(hostname, 255)} ${printable(appName, 48)} ${
    printable(String(pid), 128)
  }`;
  const encoder = new TextEncoder();
  return (record) => {
    const pri = facility + SEVERITIES[record.level];
    const header = `<${pri}>1 ${stamp(record.time)} ${from} ${printable(record.event, 32)} `;
    const params = paramsOf(record);
    let text = describeRecord(record);
    if (!ASCII.test(text)) text = BOM + text;
    let data = element(sdId, params);
    const room = maxSize - header.length - 1;
    // The usual record: no character has more than three bytes.
    if ((data.length + text.length) * 3 <= room) return encoder.encode(`${header}${data} ${text}`);
    const size = sizeOf(text);
    if (sizeOf(data) + size > room) {
      data = fit(sdId, params, room - Math.min(size, room >> 1));
      const left = room - sizeOf(data);
      // The mark is not ASCII.
      if (size > left) text = cut(text.startsWith(BOM) ? text : BOM + text, left);
    }
    return encoder.encode(`${header}${data} ${text}`);
  };
}

/** §6.2.3; the NILVALUE for what is no time. */
function stamp(time: number): string {
  return time >= 0 && time <= TIME_MAX ? timestamp(time) : "-";
}

/** §6.3.3, each with the space before it. */
function paramsOf(record: LogRecord): string[] {
  const params: string[] = [];
  for (const key in record) {
    if (IN_HEADER.has(key) || record[key] === undefined) continue;
    const text = toText(record[key]);
    const value = PLAIN.test(text) ? text : escape(text).replace(/["\\\]]/g, "\\$&");
    params.push(` ${sdName(key)}="${value}"`);
  }
  return params;
}

/** §6.3.3: as in the header, without `=`, `]` and `"`. */
function sdName(text: string): string {
  return PLAIN_NAME.test(text) ? text : printable(text, NAME_MAX).replace(/[="\]]/g, "_");
}

/** Text that stands in a value as it is; most does. */
const PLAIN = /^[ !#-[^-~]*$/;
const PLAIN_NAME = /^[\w.-]{1,32}$/;

function element(sdId: string, params: readonly string[]): string {
  return params.length === 0 ? "-" : `[${sdId}${params.join("")}]`;
}

/** As many parameters, in their order, as have room, and how many have none. */
function fit(sdId: string, params: readonly string[], room: number): string {
  if (sizeOf(element(sdId, params)) <= room) return element(sdId, params);
  let left = room - `[${sdId} omitted="${params.length}"]`.length;
  if (left < 0) return "-";
  const kept = params.filter((param) => {
    const size = sizeOf(param);
    if (size > left) return false;
    left -= size;
    return true;
  });
  return element(sdId, [...kept, ` omitted="${params.length - kept.length}"`]);
}
