/** PRI, RFC 5424 §6.2.1: what syslog(3) calls facility and priority. */
import type { Level } from "../../core/record.ts";

/** The facilities by the names of syslog(3) and logger(1). */
export const FACILITIES = {
  kern: 0,
  user: 1,
  mail: 2,
  daemon: 3,
  auth: 4,
  syslog: 5,
  lpr: 6,
  news: 7,
  uucp: 8,
  cron: 9,
  authpriv: 10,
  ftp: 11,
  local0: 16,
  local1: 17,
  local2: 18,
  local3: 19,
  local4: 20,
  local5: 21,
  local6: 22,
  local7: 23,
} as const;

/** The name of a facility. */
export type Facility = keyof typeof FACILITIES;

/** Severities: debug, informational, warning, error. */
export const SEVERITIES: Readonly<Record<Level, number>> = { debug: 7, info: 6, warn: 4, error: 3 };
