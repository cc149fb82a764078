/** What an operator can ask about who is let in: bans, who is there, how full limits are. */
import type { Fullness } from "../core/admission/fullness.ts";
import { Address, KnownPeer } from "../core/endpoint.ts";
import type { StoredBan } from "../services/bans/stored.ts";

/** What one source has of a server, over all services. */
export interface SourceStatus {
  /** An address, a prefix, `uid:N`; the transport of those whom nobody can tell from others. */
  readonly source: string;
  /** Sessions that it has now, and what has gone through them. */
  readonly sessions: number;
  readonly bytesIn: number;
  readonly bytesOut: number;
  /** Sessions, requests and datagrams that have come and were refused since somebody looks on. */
  readonly arrived: number;
  readonly refused: number;
}

/** What a service would have for somebody who came now. */
export interface Chances {
  /** The ban that is about it. */
  readonly ban?: StoredBan;
  readonly limits: readonly Fullness[];
}

/** Rejects, or throws, as the verbs of `Control` do. */
export interface PolicyControl {
  /** All that are in force, the oldest first. */
  bans(): readonly StoredBan[];
  /** @param ms Infinity until it is lifted. */
  ban(source: string, ms: number, cause: string): StoredBan;
  /** Lifts one, or all. @returns whose. */
  unban(source: string | undefined): readonly string[];
  /** Who is there, in no order, at most some thousands. */
  top(): Promise<readonly SourceStatus[]>;
  explain(service: string, remote: Address): Chances;
}

/** Somebody as a request names him: an address, or a user of this machine. */
export interface AskedPeer {
  readonly from?: string | undefined;
  readonly uid?: number | undefined;
  readonly gid?: number | undefined;
}

/** The peer that is meant; its port is not known. */
export function peerFrom({ from, uid = 0, gid = uid }: AskedPeer): Address {
  if (from !== undefined) return new Address("tcp", from, 0, "");
  return new KnownPeer(new Address("unix", "", 0, ""), { uid, gid, pid: 0 });
}
