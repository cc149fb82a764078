import type { Concurrency, Limits } from "../plan.ts";
import type { LimitName, Refusal } from "./candidate.ts";

/** What is limited. */
export interface Policy {
  readonly limits: Pick<
    Limits,
    | "sessions"
    | "perSource"
    | "source"
    | "rate"
    | "ratePerSource"
    | "datagramRate"
    | "bytes"
    | "hold"
    | "waiting"
    | "rest"
    | "overflow"
  >;
  readonly concurrency: Pick<Concurrency, "max">;
}

/** Nobody is kept from a place or a turn, so that nobody waits for one either. */
export function isUnlimited({ limits, concurrency }: Policy): boolean {
  const { sessions, perSource, rate, ratePerSource, datagramRate } = limits;
  return sessions === Infinity && perSource === Infinity && concurrency.max === Infinity &&
    rate.count === Infinity && (ratePerSource?.count ?? Infinity) === Infinity &&
    (datagramRate?.count ?? Infinity) === Infinity;
}

/** One for each, made once. */
export const REFUSALS = Object.fromEntries(
  ([
    "sessions",
    "perSource",
    "rate",
    "ratePerSource",
    "datagramRate",
    "hold",
    "waiting",
    "load",
    "bytes",
  ] as const).map((limit) => [limit, { limit }]),
) as Record<LimitName, Refusal>;
