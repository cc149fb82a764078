import * as v from "valibot";
import type { SocketOptions } from "../core/contract.ts";
import { duration, entry, flag, integer, size } from "../values/fields.ts";

const MODE = 'permissions as chmod takes them, in quotes: "0660"';
const DEVICE = "the name of a network interface, 1 to 15 characters";

/** The options of a socket: the keys of {@link SocketOptions}, as a manifest writes them. */
export const SOCKET_ENTRIES = {
  backlog: entry(
    "connections that the kernel holds before they are accepted; listen(2)",
    () => integer(1, 2 ** 31 - 1, "a whole number above 0"),
  ),
  noDelay: entry(
    "TCP_NODELAY: send at once; on when silent, since writes are gathered",
    flag,
  ),
  keepAlive: entry(
    "silence after which a peer is probed; one that answers nothing for about as long again is given up; 0 is off",
    () => duration(false, false),
  ),
  receiveBuffer: entry("SO_RCVBUF; the kernel caps it at net.core.rmem_max", () => size(false)),
  sendBuffer: entry("SO_SNDBUF; the kernel caps it at net.core.wmem_max", () => size(false)),
  reusePort: entry("SO_REUSEPORT: several sockets on one port", flag),
  ipv6Only: entry("IPV6_V6ONLY: an IPv6 socket takes no IPv4", flag),
  // The description stands before the conversion: what follows one is no part of the JSON Schema.
  mode: v.optional(
    v.pipe(
      v.string(MODE),
      v.regex(/^0?[0-7]{3}$/, MODE),
      v.description("permissions of the socket file, in octal"),
      v.transform((text) => parseInt(text, 8)),
    ),
  ),
  ttl: entry(
    "IP_TTL or IPV6_UNICAST_HOPS",
    () => integer(1, 255, "a whole number from 1 to 255"),
  ),
  broadcast: entry("SO_BROADCAST: may send to broadcast addresses", flag),
  multicast: entry(
    "multicast groups to join, each GROUP or GROUP%INTERFACE-ADDRESS",
    () =>
      v.array(
        v.pipe(
          v.string('a group: "239.1.2.3" or "239.1.2.3%192.168.1.5"'),
          v.nonEmpty('a group: "239.1.2.3" or "239.1.2.3%192.168.1.5"'),
        ),
        'a list of groups: ["239.1.2.3"]',
      ),
  ),
  multicastTtl: entry("IP_MULTICAST_TTL", () => integer(0, 255, "a whole number from 0 to 255")),
  multicastLoopback: entry("IP_MULTICAST_LOOP: hear one's own datagrams", flag),
  device: entry(
    "SO_BINDTODEVICE: only this network interface",
    () => v.pipe(v.string(DEVICE), v.regex(/^[^\s/\0]{1,15}$/, DEVICE)),
  ),
  deferAccept: entry(
    "TCP_DEFER_ACCEPT: wait for data before a connection is accepted; rounded up to seconds",
    () => duration(false, false),
  ),
  fastOpen: entry(
    "TCP_FASTOPEN: the length of its queue",
    () => integer(0, 2 ** 31 - 1, "a whole number from 0"),
  ),
  userTimeout: entry(
    "TCP_USER_TIMEOUT: how long sent data may stay unacknowledged",
    () => duration(false, false),
  ),
  dscp: entry(
    "DSCP code point: the upper six bits of IP_TOS or IPV6_TCLASS",
    () => integer(0, 63, "a whole number from 0 to 63"),
  ),
} as const satisfies Record<keyof SocketOptions, v.GenericSchema>;
