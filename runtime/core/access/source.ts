/** What counts as one source: an address, or all of a prefix; of this machine's peers, a user. */
import { type Address, KnownPeer } from "../endpoint.ts";
import { readIp } from "../ip.ts";

/** Lengths of prefixes, in bits. */
export interface SourcePrefixes {
  /** 0 to 32. */
  readonly ipv4: number;
  /** 0 to 128. A subscriber of IPv6 has a whole /64 at least. */
  readonly ipv6: number;
}

/** What holds where a manifest is silent. */
export const PREFIXES: SourcePrefixes = { ipv4: 32, ipv6: 64 };

const words = new Uint32Array(4);

/** A name of the source that a peer comes from; empty for one that nobody can tell from others. */
export function sourceOf(remote: Address, prefixes: SourcePrefixes): string {
  const { host } = remote;
  if (host === "") return remote instanceof KnownPeer ? `uid:${remote.credentials.uid}` : "";
  const plain = host.indexOf(":") < 0
    ? prefixes.ipv4 === 32
    : prefixes.ipv6 === 128 && !host.startsWith("::ffff:");
  return plain ? host : masked(host, prefixes);
}

function masked(host: string, { ipv4, ipv6 }: SourcePrefixes): string {
  const family = readIp(host, words);
  if (family === 0) return host;
  const [length, mark] = family === 4 ? [ipv4, "."] : [ipv6, ":"];
  // An IPv4-mapped one is the same source as that of IPv4, which is not masked at all.
  if (family === 4 && ipv4 === 32) return dotted(words[0]!);
  let name = "";
  for (let word = 0, left = length; left > 0; word++, left -= 32) {
    const kept = left >= 32 ? words[word]! : words[word]! & -1 << 32 - left;
    name += `${(kept >>> 0).toString(16)}${mark}`;
  }
  // The empty prefix of each family has a name of its own too.
  return `${name}/${length}${mark}`;
}

function dotted(word: number): string {
  return `${word >>> 24}.${word >>> 16 & 255}.${word >>> 8 & 255}.${word & 255}`;
}
