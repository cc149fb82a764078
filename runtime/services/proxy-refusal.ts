/** Who is refused for the PROXY protocol: what it has sent, or has not, before anybody was asked about it. */
import type { Refusal } from "../core/admission/candidate.ts";
import type { Fields } from "../core/record.ts";
import { recordRefusal } from "../core/records.ts";
import type { Told } from "../core/prologue/via.ts";
import type { Service } from "../core/service.ts";

/** Bytes of a header at most: what balancers send, with certificates' names and values of one's own, is below 1 KiB. */
export const MOST_HEADER = 4096;

/** Too many are waited for. */
export const FULL: Refusal = { limit: "hold" };
/** From whoever may not send a header: what it says of itself is not believed. */
export const LIAR: Refusal = { rule: "proxyProtocol" };
/** From whoever may, and has not, or not a right one. */
export const BROKEN: Refusal = { limit: "proxyProtocol" };

/** Counts and records it. */
export function refuseArrival(
  service: Service,
  kind: "stream" | "datagram",
  { remote, local }: Told,
  why: Refusal,
  more?: Fields,
): void {
  const session = { id: service.nextId(), kind, remote, local };
  service.countRefusal(why, session);
  const level = kind === "stream" ? service.level : "debug";
  const gone = { ...session, bytesIn: 0, bytesOut: 0, reason: undefined };
  recordRefusal(service, level, gone, why, more);
}
