/** IP addresses as numbers, without an object or a bigint for each one that is looked at. */

/** 0 for what is no IP address. */
export type Family = 0 | 4 | 6;

const COLON = 58;
const DOT = 46;

/**
 * Reads an address into its 32-bit words, most significant first: one of IPv4, four of IPv6. An
 * IPv4-mapped one is IPv4 (RFC 4291, 2.5.5.2). A zone (`%eth0`) is left out.
 *
 * @param words of four; what is not used of it is left as it is.
 */
export function readIp(text: string, words: Uint32Array): Family {
  if (text.indexOf(":") < 0) return readIpv4(text, 0, text.length, words, 0) ? 4 : 0;
  if (!readIpv6(text, words)) return 0;
  if (words[0] !== 0 || words[1] !== 0 || words[2] !== 0xffff) return 6;
  words[0] = words[3]!;
  return 4;
}

/** Four decimal numbers from 0 to 255, without leading zeros. */
function readIpv4(
  text: string,
  from: number,
  to: number,
  words: Uint32Array,
  at: number,
): boolean {
  let word = 0;
  let part = -1;
  let count = 1;
  for (let i = from; i < to; i++) {
    const code = text.charCodeAt(i);
    if (code === DOT) {
      if (part < 0 || ++count > 4) return false;
      word = word * 256 + part;
      part = -1;
      continue;
    }
    const digit = code - 48;
    if (digit < 0 || digit > 9 || part === 0) return false;
    part = part < 0 ? digit : part * 10 + digit;
    if (part > 255) return false;
  }
  if (count !== 4 || part < 0) return false;
  words[at] = word * 256 + part;
  return true;
}

/** The 16-bit parts of one that is being read. */
const parts = new Uint16Array(8);
const tail = new Uint32Array(1);

function readIpv6(text: string, words: Uint32Array): boolean {
  const zone = text.indexOf("%");
  const to = zone < 0 ? text.length : zone;
  let count = 0;
  /** Where `::` stands, in parts. */
  let gap = -1;
  let i = 0;
  if (text.charCodeAt(0) === COLON) {
    if (text.charCodeAt(1) !== COLON) return false;
    gap = 0;
    i = 2;
  }
  while (i < to) {
    if (count === 8) return false;
    let value = 0;
    const start = i;
    for (; i < to; i++) {
      const digit = hexadecimal(text.charCodeAt(i));
      if (digit < 0) break;
      value = value * 16 + digit;
    }
    const code = i < to ? text.charCodeAt(i) : COLON;
    if (code === DOT) {
      if (count > 6 || !readIpv4(text, start, to, tail, 0)) return false;
      parts[count++] = tail[0]! >>> 16;
      parts[count++] = tail[0]! & 0xffff;
      i = to;
      break;
    }
    if (code !== COLON || i === start || i - start > 4) return false;
    parts[count++] = value;
    if (i === to) break;
    i++;
    if (i < to && text.charCodeAt(i) === COLON) {
      if (gap >= 0) return false;
      gap = count;
      i++;
    } else if (i === to) return false;
  }
  if (gap < 0 ? count !== 8 : count > 7) return false;
  if (gap >= 0) {
    parts.copyWithin(8 - (count - gap), gap, count);
    parts.fill(0, gap, 8 - (count - gap));
  }
  for (let word = 0; word < 4; word++) {
    words[word] = parts[2 * word]! * 0x10000 + parts[2 * word + 1]!;
  }
  return true;
}

function hexadecimal(code: number): number {
  if (code >= 48 && code <= 57) return code - 48;
  const letter = code | 32;
  return letter >= 97 && letter <= 102 ? letter - 87 : -1;
}

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
