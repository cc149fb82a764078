import { Gate } from "./limits.ts";
import { Parking } from "./parking.ts";
import type { ServicePlan } from "../plan.ts";
import { newTally, type Tally } from "./tally.ts";
import { Turns } from "./turns.ts";

/** What a service has done since its start. */
export interface Counters {
  /** Sessions that came as far as setup. */
  served: number;
  refused: number;
  /** Errors of any side. */
  errors: number;
  /**
   * Bytes of datagrams at once; of streams when they have ended, and with {@link Room.settle}: whenever somebody
   * asks for the status, of workers every few seconds, and ten times a second where metrics are wanted.
   */
  bytesIn: number;
  bytesOut: number;
  datagramsIn: number;
  datagramsOut: number;
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
  for (const name of NAMES) total[name] += growth[name];
}

/** Has live sessions whose bytes are not all in the counters yet. */
export interface Meter {
  /** Adds them to the counters. */
  settle(counters: Counters): void;
}

/**
 * How many may be in a service, how many of them are served, and who waits. A service that is
 * reloaded takes it over, so that its counts stay exact while the old sessions end.
 */
export class Room {
  readonly gate: Gate;
  readonly turns: Turns;
  /** Sessions that wait for room at the gate (`"overflow": "hold"`), in the order of arrival. */
  readonly parked: Parking;
  readonly counters: Counters;
  readonly tally: Tally;
  /** All that have served here, and are not done. */
  readonly meters: Set<Meter>;
  /** Workers that died and were replaced. */
  restarts: number;
  readonly #plan: ServicePlan;

  /** @param before what it takes over, where the plan has not changed. */
  constructor(plan: ServicePlan, before?: Room) {
    const { limits, concurrency } = plan;
    const old = before === undefined ? undefined : before.#plan;
    this.#plan = plan;
    this.counters = before?.counters ?? newCounters();
    this.tally = before?.tally ?? newTally();
    this.meters = before?.meters ?? new Set();
    this.restarts = before?.restarts ?? 0;
    const same = old !== undefined && (["sessions", "perSource", "rate"] as const)
      .every((name) => JSON.stringify(old.limits[name]) === JSON.stringify(limits[name]));
    this.gate = same ? before!.gate : new Gate(limits, () => performance.now());
    this.parked = same ? before!.parked : new Parking();
    this.turns = old?.concurrency.max === concurrency.max
      ? before!.turns
      : new Turns(concurrency.max);
  }

  /** Brings the counters up to date: with what has gone through the sessions that are open. */
  settle(): void {
    for (const meter of this.meters) meter.settle(this.counters);
  }
}
