import type { Address } from "../endpoint.ts";
import type { RuleOptions } from "../plan.ts";

/**
 * Why somebody is cut who is in already: the service ends, or `limits.lifetime`, `handler` or `bytes` has
 * struck. Somebody of whom `verify` has not decided yet is refused for it.
 */
export type CutReason =
  | "drain"
  | "lifetime"
  | "handler"
  | "progress"
  | "access"
  | "bytes"
  | "shed";

/** The limit that was reached, or what has struck, as the `refuse` record names it. */
export type LimitName =
  | "sessions"
  | "perSource"
  | "rate"
  | "ratePerSource"
  | "datagramRate"
  /** It has waited too long; too many, or too much, waits already. */
  | "hold"
  | "waiting"
  /** The machine, or the event loop, has too much to do. */
  | "load"
  | CutReason
  /** The balancer that it comes from has not said whom it is for, or not in order. */
  | "proxyProtocol"
  /** TLS was not there in time; too many begin it at once, and this one has taken longest. */
  | "handshake"
  | "handshakes"
  /** No worker can be had. */
  | "workers"
  /** Of answers to a datagram: more than may be sent to somebody who has not shown that it is there. */
  | "amplification";

/**
 * Memory of one that waits, in bytes, by its kind: with its connection, its objects and what the runtime
 * has of it. What a datagram carries comes to that.
 */
export const WEIGHT: Readonly<Record<Candidate["kind"], number>> = {
  stream: 2048,
  datagram: 512,
  http: 2048,
};

/** How many bytes somebody brings along: of those that come whole. */
export function carried({ kind, weight }: Candidate): number {
  return weight - WEIGHT[kind];
}

/** The most that those who wait may come to, in bytes as {@link Candidate.weight} says them, when nobody says otherwise. */
export const WEIGHT_MAX = 32 * 1024 * 1024;

/** Why somebody is turned away. */
export type Refusal =
  /**
   * The rule of `access`, with where it stands in a manifest; `verify`, `sensor`; or `ban`, with its end where
   * it has one.
   */
  | { readonly rule: string; readonly place?: string; readonly until?: string }
  | { readonly limit: LimitName };

/** Who asks to be served. */
export interface Candidate {
  readonly kind: "stream" | "datagram" | "http";
  /** Looked at only where a rule or a limit is about addresses: to make it may cost a system call. */
  readonly remote: Address;
  /** Of a datagram: the address of ours that it came to. */
  readonly local: Address;
  /** Bytes of memory that it takes while it waits, about: {@link WEIGHT}, and what it carries. */
  readonly weight: number;
  /** Set where the rule that lets it in has options, before anything else is heard of it. */
  ruleOptions?: RuleOptions | undefined;
  /** Bytes of it so far, for those who look on. */
  readonly bytesIn?: number;
  readonly bytesOut?: number;
  /** Ends it, who is in already. */
  cut?(reason: CutReason): void;
  /** Its turn has come, after it had to wait. */
  admitted(): void;
  /** It has waited in vain. */
  refused(why: Refusal): void;
}
