/** What a service has done since its start: it outlives reloads, and is what `ctl status` and metrics read. */
import type { Losses } from "./contract.ts";
import { newStatistics, type Statistics } from "./statistics.ts";

/** Numbers that only grow. */
export interface Counters {
  /** Sessions that came as far as setup. */
  served: number;
  refused: number;
  /** Errors of any side. */
  errors: number;
  /**
   * Bytes of datagrams at once; of streams when they have ended, and with {@link Totals.settle}: whenever somebody
   * asks for the status, of workers every few seconds, and ten times a second where metrics are wanted.
   */
  bytesIn: number;
  bytesOut: number;
  datagramsIn: number;
  datagramsOut: number;
  /** What the kernel has dropped because a socket's queue was full, with {@link Totals.settle}. */
  datagramsLost: number;
}

/** Nothing counted yet. */
export function newCounters(): Counters {
  return {
    served: 0,
    refused: 0,
    errors: 0,
    bytesIn: 0,
    bytesOut: 0,
    datagramsIn: 0,
    datagramsOut: 0,
    datagramsLost: 0,
  };
}

const NAMES = Object.keys(newCounters()) as (keyof Counters)[];

/** What counters have grown by since `before`. */
export function growthOf(now: Counters, before: Counters): Counters {
  const growth = newCounters();
  for (const name of NAMES) growth[name] = now[name] - before[name];
  return growth;
}

/** Adds what counters have grown by. */
export function addCounters(total: Counters, growth: Counters): void {
  for (const name of NAMES) total[name] += counted(growth[name]);
}

/** Adds what has gone through a session. */
export function countBytes(total: Counters, bytesIn: unknown, bytesOut: unknown): void {
  total.bytesIn += counted(bytesIn);
  total.bytesOut += counted(bytesOut);
}

/**
 * What can be counted; nothing of what cannot. A counter that is no number once would never be one again,
 * and a plugin can reach what a session has of its own.
 */
export function counted(growth: unknown): number {
  return Number.isSafeInteger(growth) && (growth as number) > 0 ? growth as number : 0;
}

/** How many have gone one way from a service to another. */
export interface RouteCount {
  /** Who goes it: `tls sni=*.example.org`, `otherwise`. */
  readonly when: string;
  readonly service: string;
  count: number;
}

/** Has counted what is not in the counters and statistics yet: bytes of live sessions, requests. */
export interface Meter {
  /** Adds it. */
  settle(totals: Totals): void;
}

/** The counters and statistics of one service; whoever replaces it at a reload counts on in the same object. */
export class Totals {
  readonly counters: Counters = newCounters();
  readonly statistics: Statistics = newStatistics();
  /** All that serve here. */
  readonly meters: Set<Meter> = new Set();
  /** Workers that died and were replaced. */
  restarts = 0;
  /** By their texts; of a service that hands its peers to others. */
  routes: Map<string, RouteCount> | undefined = undefined;
  /** What is counted of the losses of each socket; whoever goes on with one goes on from there. */
  readonly #lost = new Map<string, number>();

  /** A socket is there from now on. What was lost before is another one's, if it `had` one. */
  meet(losses: Losses | undefined, had: boolean): void {
    if (losses === undefined || this.#lost.has(losses.socket)) return;
    this.#lost.set(losses.socket, had ? losses.count : 0);
  }

  /** Counts what a socket has lost since it was asked last. */
  countLost(losses: Losses | undefined): void {
    if (losses === undefined) return;
    const { socket, count } = losses;
    this.counters.datagramsLost += (count - (this.#lost.get(socket) ?? 0)) >>> 0;
    this.#lost.set(socket, count);
  }

  /** The count of one way, which goes on where there was one before. */
  route(when: string, service: string): RouteCount {
    const routes = this.routes ??= new Map();
    const key = `${when} → ${service}`;
    let found = routes.get(key);
    if (found === undefined) routes.set(key, found = { when, service, count: 0 });
    return found;
  }

  /** Brings the counters and the statistics up to date. */
  settle(): void {
    for (const meter of this.meters) meter.settle(this);
  }
}
