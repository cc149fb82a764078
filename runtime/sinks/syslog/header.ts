/** What every syslog message begins with. */
import { FACILITIES, type Facility } from "./priority.ts";

/** Who speaks, and how much may be said. */
export interface Originator {
  readonly facility: Facility;
  readonly hostname: string;
  readonly appName: string;
  readonly pid: number;
  /** Bytes of a message, without what frames it. */
  readonly maxSize: number;
}

/** The upper part of PRI. */
export function facilityOf({ facility }: Originator): number {
  return FACILITIES[facility] * 8;
}

/** A field of the header: printable US-ASCII without spaces, at most so long; `-` for nothing. RFC 5424 §6. */
export function printable(text: string, length: number): string {
  const safe = text.replace(/[^!-~]/gu, "_").slice(0, length);
  return safe === "" ? "-" : safe;
}
