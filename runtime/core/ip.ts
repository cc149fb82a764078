/**
 * What an IP address is, and its bits: one reader for endpoints, rules and the adapters' sockets, without
 * an object for each one that is looked at. `node:net`, which says what is one, too, takes 5 ms to load on Bun.
 */

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

/** 4 or 6 of an IP address as it is written, with or without a zone, 0 of anything else: `isIP` of `node:net`. */
export function ipFamily(text: string): Family {
  if (text.indexOf(":") < 0) return readIp(text, scratch);
  const zone = text.indexOf("%");
  if (zone >= 0 && !/^[\w.:-]+$/.test(text.slice(zone + 1))) return 0;
  return readIpv6(text, scratch) ? 6 : 0;
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
const scratch = new Uint32Array(4);

/** As {@link readIp}, of IPv6 alone: always four words, of an IPv4-mapped one, too. */
export function readIpv6(text: string, words: Uint32Array): boolean {
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

/** The canonical text of an address, RFC 5952: what `readIp` has read, the other way. */
export function formatIp(words: Uint32Array, family: 4 | 6): string {
  if (family === 4) {
    const word = words[0]!;
    return `${word >>> 24}.${word >>> 16 & 255}.${word >>> 8 & 255}.${word & 255}`;
  }
  const groups: string[] = [];
  let runAt = -1;
  let runLength = 1;
  for (let i = 0, start = 0; i <= 8; i++) {
    const group = i < 8 ? words[i >> 1]! >>> (i & 1 ? 0 : 16) & 0xffff : -1;
    if (i < 8) groups.push(group.toString(16));
    if (group === 0) continue;
    if (i - start > runLength) {
      runAt = start;
      runLength = i - start;
    }
    start = i + 1;
  }
  if (runAt < 0) return groups.join(":");
  return `${groups.slice(0, runAt).join(":")}::${groups.slice(runAt + runLength).join(":")}`;
}
