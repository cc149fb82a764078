/** Hours of the week, by the clock on a wall: `"Mon-Fri 08:00-18:00 Europe/Paris"`. */

const DAYS = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"] as const;
const EXAMPLE = '"Mon-Fri 08:00-18:00 Europe/Paris", "22:00-06:00" or "Sat,Sun"';
const MINUTE = 60_000;
const DAY = 24 * 60;

/**
 * One window. A window that ends before it begins ends on the next day, and belongs to the day on which
 * it begins. What counts is what a clock on the wall of that zone shows: when clocks are put forward,
 * the hour that they leave out is in no window; when they are put back, the hour that comes twice is in
 * it twice.
 */
export interface TimeWindow {
  /** As it was written. */
  readonly text: string;
  /** By day of the week, Sunday first. */
  readonly days: readonly boolean[];
  /** Minutes after midnight; `to` is not in it, and may be 24:00. */
  readonly from: number;
  readonly to: number;
  /** An IANA name; the system's own zone when absent. */
  readonly zone?: string;
}

/**
 * Reads a window: `[DAYS] [HH:MM-HH:MM] [ZONE]`.
 *
 * @throws SyntaxError whose message says what was received and what would be right.
 */
export function parseTimes(text: string): TimeWindow {
  const words = text.trim().split(/\s+/).filter((word) => word !== "");
  let days: boolean[] | undefined;
  let hours: { from: number; to: number } | undefined;
  let zone: string | undefined;
  for (const word of words) {
    if (zone !== undefined) throw refused(text, "a zone comes last");
    if (/^\d/.test(word)) {
      if (hours !== undefined) throw refused(text, "one window has one span of hours");
      hours = parseHours(word, text);
    } else if (days === undefined && hours === undefined && isDays(word)) {
      days = parseDays(word, text);
    } else zone = parseZone(word, text);
  }
  if (days === undefined && hours === undefined) throw refused(text, "a window has days or hours");
  const { from, to } = hours ?? { from: 0, to: DAY };
  return {
    text,
    days: days ?? DAYS.map(() => true),
    from,
    to,
    ...(zone !== undefined && { zone }),
  };
}

function isDays(word: string): boolean {
  return /^[a-z]{3}(?:[-,][a-z]{3})*$/i.test(word) &&
    DAYS.some((day) => word.toLowerCase().startsWith(day));
}

function parseDays(word: string, text: string): boolean[] {
  const days = DAYS.map(() => false);
  for (const part of word.toLowerCase().split(",")) {
    const [first = "", last = first, ...more] = part.split("-");
    const [from, to] = [DAYS.indexOf(first as never), DAYS.indexOf(last as never)];
    if (from < 0 || to < 0 || more.length > 0) {
      throw refused(text, "days are Mon Tue Wed Thu Fri Sat Sun, as Mon-Fri or Sat,Sun");
    }
    for (let day = from;; day = (day + 1) % 7) {
      days[day] = true;
      if (day === to) break;
    }
  }
  return days;
}

function parseHours(word: string, text: string): { from: number; to: number } {
  const found = /^(\d{1,2}):(\d{2})-(\d{1,2}):(\d{2})$/.exec(word);
  const [a = NaN, b = NaN, c = NaN, d = NaN] = (found ?? []).slice(1).map(Number);
  const [from, to] = [60 * a + b, 60 * c + d];
  if (found === null || b > 59 || d > 59 || from >= DAY || to > DAY) {
    throw refused(text, "hours are HH:MM-HH:MM, from 00:00 to 24:00");
  }
  if (from === to) throw refused(text, "a window has a length: its ends are not the same");
  return { from, to };
}

function parseZone(word: string, text: string): string {
  try {
    return new Intl.DateTimeFormat("en-US", { timeZone: word }).resolvedOptions().timeZone;
  } catch {
    throw refused(text, `there is no time zone ${JSON.stringify(word)}`);
  }
}

function refused(text: string, why: string): SyntaxError {
  return new SyntaxError(`${why}, as in ${EXAMPLE}; received ${JSON.stringify(text)}`);
}

/** Whether any of some windows is open; asks the zone's clock once a minute. */
export class Times {
  readonly windows: readonly TimeWindow[];
  readonly #clocks: readonly Intl.DateTimeFormat[];
  #open = false;
  /** From when to when the answer holds, in ms since 1970. */
  #since = 0;
  #until = 0;

  /** @param windows at least one. */
  constructor(windows: readonly TimeWindow[]) {
    this.windows = windows;
    this.#clocks = windows.map(({ zone }) =>
      new Intl.DateTimeFormat("en-US", {
        weekday: "short",
        hour: "2-digit",
        minute: "2-digit",
        hourCycle: "h23",
        ...(zone !== undefined && { timeZone: zone }),
      })
    );
  }

  /** @param now in ms since 1970. */
  open(now: number): boolean {
    // A clock that was set back is asked again.
    if (now >= this.#since && now < this.#until) return this.#open;
    // Offsets of all zones of today are whole minutes.
    this.#since = Math.floor(now / MINUTE) * MINUTE;
    this.#until = this.#since + MINUTE;
    return this.#open = this.windows.some((window, index) =>
      isOpen(window, this.#clocks[index]!, now)
    );
  }
}

function isOpen({ days, from, to }: TimeWindow, clock: Intl.DateTimeFormat, now: number): boolean {
  const parts = clock.formatToParts(now);
  const value = (type: string): string => parts.find((part) => part.type === type)!.value;
  const day = DAYS.indexOf(value("weekday").toLowerCase() as never);
  const minute = 60 * Number(value("hour")) + Number(value("minute"));
  if (from < to) return days[day]! && minute >= from && minute < to;
  return days[day]! && minute >= from || days[(day + 6) % 7]! && minute < to;
}
