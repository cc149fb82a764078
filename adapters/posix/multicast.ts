/** Joining multicast groups by descriptor; ip(7), ipv6(7). */
import { isIPv4 } from "../../runtime/core/endpoint.ts";
import { writeIPv6, zoneIndex } from "./ip.ts";
import type { Libc } from "./libc.ts";
import {
  AF_INET,
  AF_INET6,
  IP_ADD_MEMBERSHIP,
  IPV6_ADD_MEMBERSHIP,
  SOL_IP,
  SOL_IPV6,
} from "./linux.ts";

const EINVAL = 22;
const ENODEV = 19;

/**
 * Joins `GROUP` or `GROUP%INTERFACE`, where the interface is one of its addresses, or its name.
 *
 * @returns 0, or an errno, negated.
 */
export function joinGroup(libc: Libc, fd: number, family: number, membership: string): number {
  const [group, zone] = membership.split("%") as [string, string?];
  if (isIPv4(group)) {
    if (family !== AF_INET && family !== AF_INET6) return -EINVAL;
    // struct ip_mreqn: imr_multiaddr, imr_address, imr_ifindex. A socket of IPv6 takes it as well.
    const request = new Uint8Array(new ArrayBuffer(12));
    writeIPv4(group, request, 0);
    if (zone !== undefined && isIPv4(zone)) writeIPv4(zone, request, 4);
    else if (zone !== undefined) {
      const index = zoneIndex(zone);
      if (index === 0) return -ENODEV;
      new Int32Array(request.buffer)[2] = index;
    }
    return libc.setsockopt(fd, SOL_IP, IP_ADD_MEMBERSHIP, request);
  }
  // struct ipv6_mreq: ipv6mr_multiaddr, ipv6mr_interface.
  const request = new Uint8Array(new ArrayBuffer(20));
  if (!writeIPv6(group, request, 0)) return -EINVAL;
  if (zone !== undefined) {
    const index = zoneIndex(zone);
    if (index === 0) return -ENODEV;
    new Int32Array(request.buffer)[4] = index;
  }
  return libc.setsockopt(fd, SOL_IPV6, IPV6_ADD_MEMBERSHIP, request);
}

function writeIPv4(text: string, bytes: Uint8Array, offset: number): void {
  const parts = text.split(".");
  for (let i = 0; i < 4; i++) bytes[offset + i] = Number(parts[i]);
}
