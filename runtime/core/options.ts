/** What can be set on a socket. */

/** Options of a socket, as the manifest names them. What is undefined stays as the system has it. */
export interface SocketOptions {
  /** Connections the kernel holds before they are accepted; listen(2). */
  readonly backlog?: number;
  /** TCP_NODELAY, tcp(7). On when silent: writes are gathered already. */
  readonly noDelay?: boolean;
  /**
   * Milliseconds of silence before the first keep-alive probe; a peer that answers none of three to ten,
   * which take about as long again, is given up. SO_KEEPALIVE, TCP_KEEPIDLE, TCP_KEEPINTVL and
   * TCP_KEEPCNT; 0 is off.
   */
  readonly keepAlive?: number;
  /** SO_RCVBUF in bytes; the kernel doubles it, and caps it at net.core.rmem_max; socket(7). */
  readonly receiveBuffer?: number;
  /** SO_SNDBUF in bytes; likewise with wmem_max. */
  readonly sendBuffer?: number;
  /** SO_REUSEPORT: several sockets on one port, the kernel spreads the load. */
  readonly reusePort?: boolean;
  /** IPV6_V6ONLY: an IPv6 socket takes no IPv4; ipv6(7). */
  readonly ipv6Only?: boolean;
  /** Permissions of the socket file, as chmod(2) takes them. */
  readonly mode?: number;
  /** IP_TTL or IPV6_UNICAST_HOPS. */
  readonly ttl?: number;
  /** SO_BROADCAST: may send to broadcast addresses. */
  readonly broadcast?: boolean;
  /** Multicast groups to join, each `GROUP` or `GROUP%INTERFACE-ADDRESS`. */
  readonly multicast?: readonly string[];
  /** IP_MULTICAST_TTL. */
  readonly multicastTtl?: number;
  /** IP_MULTICAST_LOOP. */
  readonly multicastLoopback?: boolean;
  /** SO_BINDTODEVICE: the name of a network interface. */
  readonly device?: string;
  /** TCP_DEFER_ACCEPT: milliseconds to wait for data before a connection is accepted; rounded up to seconds. */
  readonly deferAccept?: number;
  /** TCP_FASTOPEN: the length of its queue. */
  readonly fastOpen?: number;
  /** TCP_USER_TIMEOUT: milliseconds that sent data may stay unacknowledged. */
  readonly userTimeout?: number;
  /** DSCP code point, 0 to 63: the upper six bits of IP_TOS or IPV6_TCLASS. */
  readonly dscp?: number;
}

/** The name of a socket option. */
export type OptionName = keyof SocketOptions;
