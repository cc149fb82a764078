/** The native protocol of systemd-journald: https://systemd.io/JOURNAL_NATIVE_PROTOCOL/. */
import type { LogRecord } from "../../core/record.ts";
import { timestamp } from "../line.ts";
import { FACILITIES, type Facility, SEVERITIES } from "../syslog/priority.ts";
import { cut, sizeOf } from "../syslog/cut.ts";
import { describeRecord, toText } from "../words.ts";

/** The longest name of a field. */
const NAME_MAX = 64;
/** No value is cut to fewer bytes than this. */
const VALUE_LEAST = 64;
/** What a field costs beside its name and value: the name's LF or `=`, eight bytes of length, LF. */
const FIELD_COST = 10;
/** Room for the field that says what was cut. */
const CUT_COST = 256;

/** Who speaks, and how much may be said. */
export interface JournalOriginator {
  readonly facility: Facility;
  readonly appName: string;
  /** Bytes of an entry. */
  readonly maxSize: number;
}

type Field = [name: string, value: string];

/**
 * Makes entries of records: MESSAGE in words, the record's fields as `PORTICO_…`, as they are, bytes
 * and line ends and all. In one that is larger than `maxSize` the longest values are cut, with a
 * mark; PORTICO_CUT names them.
 */
export function journalEntry(
  { facility, appName, maxSize }: JournalOriginator,
): (record: LogRecord) => Uint8Array {
  const common: Field[] = [
    ["SYSLOG_IDENTIFIER", appName],
    ["SYSLOG_FACILITY", String(FACILITIES[facility])],
  ];
  return (record) => {
    const fields: Field[] = [
      ["MESSAGE", describeRecord(record)],
      ["PRIORITY", String(SEVERITIES[record.level])],
      ...common,
    ];
    for (const key in record) {
      const value = record[key];
      if (value === undefined || key === "level") continue;
      fields.push([
        nameOf(key),
        key === "time" && isTime(value) ? timestamp(value) : toText(value),
      ]);
    }
    return write(fit(fields, maxSize));
  };
}

function isTime(value: unknown): value is number {
  return typeof value === "number" && Math.abs(value) <= 8.64e15;
}

const names = new Map<string, string>();

/** `durationMs` is PORTICO_DURATION_MS: upper case, digits and `_`, at most 64 of them. */
function nameOf(key: string): string {
  let name = names.get(key);
  if (name === undefined) {
    const words = key.replace(/([a-z\d])([A-Z])/g, "$1_$2").toUpperCase();
    name = `PORTICO_${words.replace(/[^A-Z\d]/g, "_")}`.slice(0, NAME_MAX);
    // Plugins choose names, and might never stop.
    if (names.size < 1000) names.set(key, name);
  }
  return name;
}

function fit(fields: Field[], maxSize: number): Field[] {
  // The usual record: no character has more than three bytes.
  let most = 0;
  for (const [name, value] of fields) most += name.length + 3 * value.length + FIELD_COST;
  if (most <= maxSize) return fields;
  const sizes = fields.map(([, value]) => sizeOf(value));
  const costOf = (index: number): number => fields[index]![0].length + sizes[index]! + FIELD_COST;
  let total = fields.reduce((sum, _, index) => sum + costOf(index), 0);
  if (total <= maxSize) return fields;
  const names = new Set<string>();
  while (total + CUT_COST > maxSize) {
    const index = sizes.indexOf(Math.max(...sizes));
    const [name, value] = fields[index]!;
    const size = sizes[index]!;
    if (size <= VALUE_LEAST) break;
    fields[index] = [name, cut(value, Math.max(VALUE_LEAST, size - (total + CUT_COST - maxSize)))];
    sizes[index] = sizeOf(fields[index]![1]);
    total -= size - sizes[index]!;
    names.add(name);
  }
  // So many fields that their names alone are too much.
  while (total + CUT_COST > maxSize && fields.length > 1) {
    total -= costOf(fields.length - 1);
    names.add(fields.pop()![0]);
  }
  return [...fields, ["PORTICO_CUT", cut([...names].join(" "), CUT_COST - 32)]];
}

const encoder = new TextEncoder();

/** A value with a line end follows its name and its length, 64 bits, little-endian. */
function write(fields: readonly Field[]): Uint8Array {
  if (!fields.some(([, value]) => value.includes("\n"))) {
    let text = "";
    for (const [name, value] of fields) text += `${name}=${value}\n`;
    return encoder.encode(text);
  }
  let room = 0;
  for (const [name, value] of fields) room += name.length + 3 * value.length + FIELD_COST;
  const bytes = new Uint8Array(room);
  const view = new DataView(bytes.buffer);
  let at = 0;
  for (const [name, value] of fields) {
    at += encoder.encodeInto(name, bytes.subarray(at)).written;
    if (value.includes("\n")) {
      bytes[at] = 10;
      const { written } = encoder.encodeInto(value, bytes.subarray(at + 9));
      view.setBigUint64(at + 1, BigInt(written), true);
      at += 9 + written;
    } else {
      bytes[at] = 61;
      at += 1 + encoder.encodeInto(value, bytes.subarray(at + 1)).written;
    }
    bytes[at++] = 10;
  }
  return bytes.slice(0, at);
}
