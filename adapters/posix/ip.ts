/** IPv6 addresses as text and as bytes, and the zones of link-local ones; inet_pton(3), RFC 5952. */
import { networkInterfaces } from "node:os";
import { isIPv4 } from "../../runtime/core/endpoint.ts";

/** Whether it is an IPv6 address, with or without a zone. `node:net`, which says so, too, takes 5 ms to load on Bun. */
export function isIPv6(text: string): boolean {
  const [address, zone] = text.split(/%(.*)/s, 2) as [string, string?];
  if (zone !== undefined && !/^[\w.:-]+$/.test(zone)) return false;
  const end = address.slice(address.lastIndexOf(":") + 1);
  // The last 32 bits may be dotted.
  const plain = isIPv4(end) ? `${address.slice(0, -end.length)}0:0` : address;
  const halves = plain.split("::");
  if (halves.length > 2) return false;
  const groups = halves.flatMap((half) => half === "" ? [] : half.split(":"));
  const whole = halves.length === 1 ? groups.length === 8 : groups.length < 8;
  return whole && groups.every((group) => /^[\da-f]{1,4}$/i.test(group));
}

/** Writes the 16 bytes of an IPv6 address (without zone) to `bytes` at `offset`. False: it is none. */
export function writeIPv6(text: string, bytes: Uint8Array, offset: number): boolean {
  if (!isIPv6(text)) return false;
  let groups = text;
  // The last 32 bits may be dotted.
  const dotted = /^(.*:)(\d+)\.(\d+)\.(\d+)\.(\d+)$/.exec(text);
  if (dotted !== null) {
    const [a, b, c, d] = dotted.slice(2).map(Number) as [number, number, number, number];
    groups = `${dotted[1]}${(a * 256 + b).toString(16)}:${(c * 256 + d).toString(16)}`;
  }
  const [head, tail] = groups.split("::") as [string, string?];
  const first = head === "" ? [] : head.split(":");
  const last = tail === undefined || tail === "" ? [] : tail.split(":");
  const all = [...first, ...Array<string>(8 - first.length - last.length).fill("0"), ...last];
  for (let i = 0; i < 8; i++) {
    const group = Number.parseInt(all[i]!, 16);
    bytes[offset + 2 * i] = group >> 8;
    bytes[offset + 2 * i + 1] = group & 255;
  }
  return true;
}

/** The canonical text of the 16 bytes at `offset`: the longest run of zeros becomes `::`. */
export function readIPv6(bytes: Uint8Array, offset: number): string {
  const groups: string[] = [];
  let runAt = -1;
  let runLength = 1;
  for (let i = 0, start = 0; i <= 8; i++) {
    const group = i < 8 ? bytes[offset + 2 * i]! << 8 | bytes[offset + 2 * i + 1]! : -1;
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
