/** IPv6 addresses as text and as bytes, and the zones of link-local ones; inet_pton(3), RFC 5952. */
import { networkInterfaces } from "node:os";
import { formatIp, readIpv6 } from "../../runtime/core/ip.ts";

const words = new Uint32Array(4);

/** Writes the 16 bytes of an IPv6 address (without zone) to `bytes` at `offset`. False: it is none. */
export function writeIPv6(text: string, bytes: Uint8Array, offset: number): boolean {
  if (!readIpv6(text, words)) return false;
  for (let i = 0; i < 16; i++) bytes[offset + i] = words[i >> 2]! >>> 24 - 8 * (i & 3);
  return true;
}

/** The canonical text of the 16 bytes at `offset`. */
export function readIPv6(bytes: Uint8Array, offset: number): string {
  for (let word = 0; word < 4; word++) {
    const at = offset + 4 * word;
    words[word] = bytes[at]! << 24 | bytes[at + 1]! << 16 | bytes[at + 2]! << 8 | bytes[at + 3]!;
  }
  return formatIp(words, 6);
}

/** The name of the network interface with this index, or the index as text. */
export function zoneName(index: number): string {
  for (const [name, addresses] of Object.entries(networkInterfaces())) {
    if (addresses?.some((each) => each.scopeid === index)) return name;
  }
  return String(index);
}

/** The index of a network interface by name, by one of its addresses, or as a number; 0 when there is none. */
export function zoneIndex(zone: string): number {
  if (/^\d+$/.test(zone)) return Number(zone);
  for (const [name, addresses] of Object.entries(networkInterfaces())) {
    if (name !== zone && !addresses?.some((each) => each.address === zone)) continue;
    const scope = addresses?.find((each) => each.scopeid !== undefined && each.scopeid !== 0);
    if (scope?.scopeid !== undefined) return scope.scopeid;
  }
  return 0;
}
