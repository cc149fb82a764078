/**
 * What the small services of inetd owe to others when they answer datagrams, whose sender may be
 * forged: no answer that is much larger than the request, and none to a service that would answer it.
 */
import type { Peer, Session } from "../runtime/mod.ts";

/** An answer on the wire is at most this many times as long as its request, headers counted. */
export const FACTOR = 2;

/** The headers of IPv4 and UDP, in bytes; IPv6's are longer, which only makes the factor smaller. */
const HEADERS = 28;

/** How many bytes may be answered to `session`; without bound where a sender cannot be forged. */
export function replyLimit(session: Session<unknown>, factor: number = FACTOR): number {
  if (session.remote.transport !== "udp") return Infinity;
  return Math.floor(factor * (HEADERS + session.bytesIn) - HEADERS);
}

/** What one address may ask of them: two such services on two machines, at ports of their own, are no forgery that could be seen. */
export const DATAGRAM_RATE = "1000/s";

/** The services that answer whatever they get: two of them would talk for ever. */
const TALKATIVE: ReadonlySet<number> = new Set([7, 13, 17, 19, 37]);

/** A `verify` hook that refuses datagrams which seem to come from one of those services. */
export function refuseLoops({ kind, remote }: Peer): boolean {
  return kind === "stream" || remote.transport !== "udp" || !TALKATIVE.has(remote.port);
}
