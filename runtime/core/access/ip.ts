/** Ranges of IP addresses, as rules have them. */
import { readIp } from "../ip.ts";

/** Addresses from `first` to `last`, both in it. */
export interface IpRange {
  readonly family: 4 | 6;
  readonly first: bigint;
  readonly last: bigint;
}

/** What {@link parseRange} reads, in words. */
export const FORMS =
  "an IP address, ADDRESS/PREFIX or ADDRESS-ADDRESS, as in 10.0.0.0/8, fe80::/10 or 10.0.0.1-10.0.0.9";

/**
 * Reads `ADDRESS`, `ADDRESS/PREFIX` or `FIRST-LAST`. A prefix's bits beyond its length do not count.
 *
 * @throws SyntaxError whose message says what was received and what would be right.
 */
export function parseRange(text: string): IpRange {
  const [start = "", end, ...more] = text.split("-");
  if (end !== undefined) {
    const [first, last] = [addressOf(start.trim()), addressOf(end.trim())];
    if (more.length > 0 || first === undefined || last === undefined) throw refused(text);
    if (first.family !== last.family) throw refused(text, "both ends of a range are of one family");
    if (first.bits > last.bits) throw refused(text, "a range begins with its lower end");
    return { family: first.family, first: first.bits, last: last.bits };
  }
  const [host = "", length, ...rest] = text.split("/");
  const address = addressOf(host);
  if (address === undefined || rest.length > 0) throw refused(text);
  const { family, bits, mapped } = address;
  const whole = family === 4 ? 32 : 128;
  if (length === undefined) return { family, first: bits, last: bits };
  // ::ffff:10.0.0.0/104 is 10.0.0.0/8.
  const prefix = /^\d{1,3}$/.test(length) ? Number(length) - (mapped ? 96 : 0) : NaN;
  if (!(prefix >= 0 && prefix <= whole)) throw refused(text);
  const free = BigInt(whole - prefix);
  const first = bits >> free << free;
  return { family, first, last: first | (1n << free) - 1n };
}

/** Addresses that a range has. */
export function sizeOf({ first, last }: IpRange): bigint {
  return last - first + 1n;
}

const scratch = new Uint32Array(4);

function addressOf(
  text: string,
): { family: 4 | 6; bits: bigint; mapped: boolean } | undefined {
  const family = readIp(text, scratch);
  if (family === 0) return undefined;
  return { family, bits: toBits(scratch, family), mapped: family === 4 && text.includes(":") };
}

/** What {@link readIp} has read, as one number. */
export function toBits(words: Uint32Array, family: 4 | 6): bigint {
  if (family === 4) return BigInt(words[0]!);
  let bits = 0n;
  for (let word = 0; word < 4; word++) bits = bits << 32n | BigInt(words[word]!);
  return bits;
}

function refused(text: string, why: string = FORMS): SyntaxError {
  return new SyntaxError(`${why}; received ${JSON.stringify(text)}`);
}
