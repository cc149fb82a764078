/** What the option `keepAlive` means to a kernel, and what holds where nobody says anything. */
import type { SocketOptions } from "../runtime/core/contract.ts";

/** In ms: a peer that has vanished is found in minutes, where a kernel left alone takes hours, or for ever. */
export const KEEP_ALIVE = 120_000;

/**
 * What protects connections over TCP where a manifest says neither: with it data that nobody acknowledges
 * is given up as soon as silence is.
 */
export function protection({ keepAlive, userTimeout }: SocketOptions): SocketOptions {
  if (keepAlive !== undefined || userTimeout !== undefined) return {};
  return { keepAlive: KEEP_ALIVE, userTimeout: 2 * KEEP_ALIVE };
}

/** Probes at least, so that one that is lost costs no connection. */
const PROBES_MIN = 3;
const PROBES_MAX = 10;

/** The values of TCP_KEEPIDLE and TCP_KEEPINTVL, in seconds, and of TCP_KEEPCNT; tcp(7). */
export interface KeepAliveProbes {
  readonly idle: number;
  readonly interval: number;
  readonly count: number;
}

/**
 * Of `keepAlive`, in ms and above 0: after that much silence up to ten probes, which take about as long
 * again. What a kernel, or a runtime, has for them otherwise is from 10 s to 11 minutes.
 */
export function keepAliveProbes(keepAlive: number): KeepAliveProbes {
  const idle = Math.max(1, Math.ceil(keepAlive / 1000));
  const interval = Math.ceil(idle / PROBES_MAX);
  return { idle, interval, count: Math.max(PROBES_MIN, Math.ceil(idle / interval)) };
}
