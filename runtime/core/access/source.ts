/** What counts as one source: an address, or all of a prefix; of this machine's peers, a user. */
import { type Address, KnownPeer } from "../endpoint.ts";
import { readIp } from "./ip.ts";

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
export function sourceOf(remote: Address, { ipv4, ipv6 }: SourcePrefixes): string {
  const { host } = remote;
  if (host === "") return remote instanceof KnownPeer ? `uid:${remote.credentials.uid}` : "";
  if (host.indexOf(":") < 0) return ipv4 === 32 ? host : masked(host, ipv4);
  return ipv6 === 128 ? host : masked(host, ipv6);
}

function masked(host: string, length: number): string {
  const family = readIp(host, words);
  if (family === 0) return host;
  let name = "";
  for (let word = 0, left = length; left > 0; word++, left -= 32) {
    const kept = left >= 32 ? words[word]! : words[word]! & -1 << 32 - left;
    name += `${(kept >>> 0).toString(16)}:`;
  }
  return `${name}/${length}`;
}
