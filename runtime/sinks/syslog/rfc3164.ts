/** The BSD syslog protocol, RFC 3164, as `/dev/log` and old servers take it. */
import type { LogRecord } from "../../core/record.ts";
import { escape } from "../invisible.ts";
import { describeRecord } from "../words.ts";
import { cut } from "./cut.ts";
import { facilityOf, type Originator, printable } from "./header.ts";
import { SEVERITIES } from "./priority.ts";

const MONTHS = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split(" ");

/** The longest TAG (§4.1.3). */
const TAG_MAX = 32;

/**
 * Makes messages of records: `<PRI>Mmm dd hh:mm:ss host tag[pid]: service: words`, in local time.
 * What is larger than `maxSize` is cut.
 *
 * @param local on this machine, to `/dev/log`: without a host, as syslog(3) has it.
 */
export function rfc3164(originator: Originator, local: boolean): (record: LogRecord) => Uint8Array {
  const { hostname, appName, pid, maxSize } = originator;
  const facility = facilityOf(originator);
  const tag = printable(appName, TAG_MAX).replace(/[^\w./-]/g, "_");
  const from = local ? "" : `${hostOf(hostname)} `;
  const encoder = new TextEncoder();
  return (record) => {
    const { time, level, service } = record;
    const header = `<${facility + SEVERITIES[level]}>${stamp(time)} ${from}${tag}[${pid}]: `;
    const words = service === undefined
      ? describeRecord(record)
      : `${escape(service)}: ${describeRecord(record)}`;
    return encoder.encode(header + cut(words, maxSize - header.length));
  };
}

/** §4.1.2: without the domain; an address as it is. */
function hostOf(name: string): string {
  const host = /^[\d.]+$|:/.test(name) ? name : name.replace(/\..*$/s, "");
  return printable(host, 255).replace(/[^\w.:-]/g, "_");
}

let lastSecond = NaN;
let lastStamp = "";

/** §4.1.2: the day is padded with a space. Records come in bursts, so the last answer is kept. */
function stamp(time: number): string {
  const second = Math.floor(time / 1000);
  if (second === lastSecond) return lastStamp;
  const known = new Date(time);
  const date = Number.isNaN(known.getTime()) ? new Date(0) : known;
  const two = (part: number): string => String(part).padStart(2, "0");
  lastSecond = second;
  lastStamp = `${MONTHS[date.getMonth()]} ${String(date.getDate()).padStart(2)} ${
    two(date.getHours())
  }:${two(date.getMinutes())}:${two(date.getSeconds())}`;
  return lastStamp;
}
