/** Records that nobody would write, and texts that somebody will. Its numbers are the same on every run. */
import type { LogRecord } from "../../runtime/core/record.ts";
import { LEVELS } from "../../runtime/core/record.ts";

/** A generator of numbers below 2³²: mulberry32. */
export class Random {
  #state: number;

  constructor(seed: number) {
    this.#state = seed;
  }

  /** A whole number from 0, below `limit`. */
  below(limit: number): number {
    this.#state = (this.#state + 0x6d2b79f5) | 0;
    let t = Math.imul(this.#state ^ (this.#state >>> 15), 1 | this.#state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) % limit;
  }

  pick<T>(list: readonly T[]): T {
    return list[this.below(list.length)]!;
  }
}

/** What breaks formats: their own signs, ends of lines and of frames, beginnings of other messages, scripts, halves of characters. */
const PIECES: readonly string[] = [
  "a",
  "plain words ",
  " ",
  '"',
  "\\",
  "]",
  "[",
  "=",
  "@",
  "\n",
  "\r\n",
  "\0",
  "\t",
  "\x1b[2J",
  "\x7f\x80\x9f",
  "\n<13>1 - - - - - - forged",
  "\n<13>Nov 20 12:00:00 host forged: ",
  ']] [x@1 y="z"]',
  "12 <13>1 x",
  "\uFEFF",
  "é",
  "ÄÖÜ",
  "漢字",
  "😀",
  "\ud83d",
  "\u2028",
  "\u202e\u2066\u200b\u00ad",
  "\u{e0001}",
  "…",
  "\\x00",
];

const KEYS: readonly string[] = [
  "user",
  "durationMs",
  "a key",
  'q"]=',
  "",
  "é",
  "x".repeat(40),
  "n\nl",
  "text",
  "message",
  "code",
  "remote",
];

/** Up to `length` pieces. */
export function randomText(random: Random, length: number): string {
  let text = "";
  for (let count = random.below(length + 1); count > 0; count--) text += random.pick(PIECES);
  return text;
}

function randomValue(random: Random): unknown {
  switch (random.below(10)) {
    case 0:
      return random.below(1e9);
    case 1:
      return random.below(2) === 0;
    case 2:
      return null;
    case 3:
      return { nested: [randomText(random, 3), random.below(9)] };
    case 4:
      return undefined;
    case 5:
      return -1.5e300;
    default:
      return randomText(random, 6);
  }
}

/** A record with anything in it. */
export function randomRecord(random: Random): LogRecord {
  const record: Record<string, unknown> = {
    time: random.below(20) === 0 ? NaN : Date.UTC(2026, 10, 20) + random.below(1e10),
    level: random.pick(LEVELS),
    event: random.pick(["log", "error", "open", "close", "refuse", "worker", "listening"] as const),
  };
  if (random.below(2) === 0) {
    record["service"] = random.below(9) === 0 ? randomText(random, 2) : "echo";
  }
  if (random.below(2) === 0) record["session"] = random.below(1e6);
  for (let count = random.below(5); count > 0; count--) {
    record[random.pick(KEYS)] = randomValue(random);
  }
  return record as unknown as LogRecord;
}
