/** What the datagram sockets of all runtimes have in common: limits, refusals, and options set by method. */
import type { OptionName, SocketOptions } from "../runtime/core/contract.ts";
import type { Address } from "../runtime/core/endpoint.ts";
import { PorticoError } from "../runtime/core/errors.ts";
import { sendFailure } from "./errno.ts";
import { ipFamily } from "../runtime/core/ip.ts";

/** The most that UDP carries over IPv4, in bytes. */
export const UDP_MAX = 65507;
/** Over IPv6 the header of IP is not part of the 65,535. */
const UDP6_MAX = 65527;

/** Whether UDP carries so many bytes to an IP address. */
export function fitsUdp(size: number, host: string): boolean {
  return size <= UDP_MAX || (size <= UDP6_MAX && host.includes(":"));
}

/** Whether a UDP socket, of IPv6 or of IPv4 alone, can send to a host. */
export function reaches(host: string, ipv6: boolean): boolean {
  const family = ipFamily(host);
  return family === 4 || (family === 6 && ipv6);
}

/**
 * Whether nobody can be sent to there: a Unix socket without a name, or a UDP peer that wants no answer
 * and therefore has no port (RFC 768).
 */
export function isUnnamed({ host, port, path }: Address): boolean {
  return port === 0 && (host !== "" || path === "");
}

/** Why a UDP socket can never send this; undefined when it can. */
export function refusalOf(
  bytes: Uint8Array,
  to: Address,
  ipv6: boolean,
): PorticoError | undefined {
  if (isUnnamed(to)) return new PorticoError("PEER_UNNAMED");
  if (!reaches(to.host, ipv6)) return wrongAddress(to, "this UDP");
  return fitsUdp(bytes.length, to.host) ? undefined : sendFailure("EMSGSIZE", to);
}

/** @param kind of socket, with its article. */
export function wrongAddress(to: Address, kind: string): PorticoError {
  const text = `${to} is no address that ${kind} socket can send to`;
  return new PorticoError("SEND_FAILED", text, { side: "plugin" });
}

/** A datagram that did not fit the buffer: its rest is gone, so nothing of it is delivered. */
export function truncated(from: Address, limit: number): PorticoError {
  const text =
    `${from}: a datagram is larger than the ${limit} bytes that are taken; it was dropped`;
  return new PorticoError("EMSGSIZE", text, { side: "peer" });
}

/** Datagrams that were given up because a queue had no room. */
export function dropped(count: number, to: Address, unix: boolean): PorticoError {
  const many = count === 1 ? "a datagram was" : `${count} datagrams were`;
  return unix
    ? new PorticoError("PEER_BUSY", `${to}: ${many} dropped, the peer's queue is full`)
    : new PorticoError("ENOBUFS", `${many} dropped, the send buffer is full`);
}

/** The options that every runtime's UDP sockets have methods for; the rest is set by descriptor. */
export const METHOD_OPTIONS: readonly OptionName[] = [
  "ttl",
  "broadcast",
  "multicast",
  "multicastTtl",
  "multicastLoopback",
];

/** These methods, of node:dgram and of `Bun.udpSocket`. */
interface OptionMethods {
  setTTL(ttl: number): unknown;
  setBroadcast(on: boolean): unknown;
  setMulticastTTL(ttl: number): unknown;
  setMulticastLoopback(on: boolean): unknown;
  addMembership(group: string, networkInterface?: string): unknown;
}

/** Sets those of {@link METHOD_OPTIONS} that are wanted. @throws what the runtime throws. */
export function setMethodOptions(
  socket: OptionMethods,
  { ttl, broadcast, multicast = [], multicastTtl, multicastLoopback }: SocketOptions,
): void {
  if (ttl !== undefined) socket.setTTL(ttl);
  if (broadcast !== undefined) socket.setBroadcast(broadcast);
  if (multicastTtl !== undefined) socket.setMulticastTTL(multicastTtl);
  if (multicastLoopback !== undefined) socket.setMulticastLoopback(multicastLoopback);
  for (const membership of multicast) {
    const [group, zone] = membership.split("%") as [string, string?];
    // Bun takes no undefined in the place of an interface.
    if (zone === undefined) socket.addMembership(group);
    else socket.addMembership(group, zone);
  }
}
