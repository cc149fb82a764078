import type { LogRecord } from "../../runtime/mod.ts";

/** How many open sessions are followed, and how many peers are remembered: the oldest are forgotten. */
const SESSIONS_MAX = 10_000;
const PEERS_MAX = 500;
const TOP = 10;

/** One host that a service has served. */
export interface PeerTotals {
  readonly host: string;
  readonly service: string;
  sessions: number;
  bytes: number;
  /** Of the longest session. */
  longestMs: number;
}

/** Who was busiest and who was slowest, by the records of streams. */
export class PeerStatistics {
  /** The host of an open session, by its number. */
  readonly #open: Map<number, string> = new Map();
  readonly #peers: Map<string, PeerTotals> = new Map();

  note({ event, service, session, ...fields }: LogRecord): void {
    if (session === undefined || service === undefined) return;
    if (event === "open") {
      this.#open.set(session, hostOf(String(fields["remote"])));
      if (this.#open.size > SESSIONS_MAX) forgetFirst(this.#open);
      return;
    }
    const host = this.#open.get(session);
    if (event !== "close" || host === undefined) return;
    this.#open.delete(session);
    const key = `${service} ${host}`;
    const peer = this.#peers.get(key) ?? { host, service, sessions: 0, bytes: 0, longestMs: 0 };
    peer.sessions++;
    peer.bytes += Number(fields["bytesIn"] ?? 0) + Number(fields["bytesOut"] ?? 0);
    peer.longestMs = Math.max(peer.longestMs, Number(fields["durationMs"] ?? 0));
    // Who was seen last is last.
    this.#peers.delete(key);
    this.#peers.set(key, peer);
    if (this.#peers.size > PEERS_MAX) forgetFirst(this.#peers);
  }

  top(): { readonly busiest: PeerTotals[]; readonly slowest: PeerTotals[] } {
    const all = [...this.#peers.values()];
    return {
      busiest: all.toSorted((a, b) => b.bytes - a.bytes || b.sessions - a.sessions).slice(0, TOP),
      slowest: all.toSorted((a, b) => b.longestMs - a.longestMs).slice(0, TOP),
    };
  }
}

function forgetFirst(map: Map<unknown, unknown>): void {
  for (const key of map.keys()) {
    map.delete(key);
    return;
  }
}

/** `tcp://[::1]:5` is `::1`, a Unix socket `unix`. */
function hostOf(remote: string): string {
  return /^\w+:\/\/(.*):\d+$/.exec(remote)?.[1]?.replace(/^\[(.*)\]$/, "$1") ?? "unix";
}
