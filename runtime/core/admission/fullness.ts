/** How full the limits of a service are: for those who look on, never on the way of a session. */
import { sourceOf } from "../access/source.ts";
import type { Address } from "../endpoint.ts";
import type { RateLimit } from "../plan.ts";
import type { Places } from "./places.ts";

/** One limit that is set, as it is now for one source. */
export interface Fullness {
  readonly name: "sessions" | "perSource" | "rate" | "ratePerSource" | "datagramRate" | "max";
  readonly most: number | RateLimit;
  /** How many there are; of a rate how many more there may be, in shares of one. */
  readonly now?: number;
  readonly tokens?: number;
}

/** The limits in the order in which they are asked. Datagrams have a rate of their own where there is one. */
export function fullnessOf(places: Places, remote: Address): Fullness[] {
  const { policy: { limits, concurrency }, placed, turns, rate, rates, time } = places.state;
  const source = sourceOf(remote, limits.source);
  const found: Fullness[] = [];
  for (const name of ["datagramRate", "ratePerSource"] as const) {
    const most = limits[name];
    if (most === undefined || most.count === Infinity || source === "") continue;
    found.push({ name, most, tokens: rates.left(source, most, time) });
  }
  const { sessions, perSource } = limits;
  if (sessions !== Infinity) found.push({ name: "sessions", most: sessions, now: placed.count });
  if (perSource !== Infinity && source !== "") {
    found.push({ name: "perSource", most: perSource, now: placed.from(source) });
  }
  if (limits.rate.count !== Infinity) {
    found.push({ name: "rate", most: limits.rate, tokens: rate.left(limits.rate, time) });
  }
  if (concurrency.max !== Infinity) found.push({ name: "max", most: concurrency.max, now: turns });
  return found;
}
