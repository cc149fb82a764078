/** How full the limits of a service are: for those who look on, never on the way of a session. */
import { sourceOf } from "../access/source.ts";
import type { Address } from "../endpoint.ts";
import type { RateLimit } from "../plan.ts";
import type { Admission } from "./admission.ts";

/** One limit that is set, as it is now for one source. */
export interface Fullness {
  readonly name:
    | "load"
    | "datagramRate"
    | "ratePerSource"
    | "sessions"
    | "perSource"
    | "rate"
    | "max"
    | "waiting";
  readonly most: number | RateLimit;
  /** How many there are; of a rate how many more there may be, in shares of one. */
  readonly now?: number;
  readonly tokens?: number;
  /** How long the service still rests because of it, in ms. */
  readonly rests?: number;
}

/** The limits in the order in which they are asked. Datagrams have a rate of their own where there is one. */
export function fullnessOf({ places, load }: Admission, remote: Address): Fullness[] {
  const { policy: { limits, concurrency }, placed, turns, rate, rates, time, ...state } =
    places.state;
  const source = sourceOf(remote, limits.source);
  const found: Fullness[] = [];
  // It is too high, or it is not.
  if (load !== undefined) found.push({ name: "load", most: 1, now: load.high ? 1 : 0 });
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
    const { rests } = state;
    const tokens = rests > 0 ? 0 : rate.left(limits.rate, time);
    found.push({ name: "rate", most: limits.rate, tokens, ...(rests > 0 && { rests }) });
  }
  if (concurrency.max !== Infinity) found.push({ name: "max", most: concurrency.max, now: turns });
  const { sessions: most } = limits.waiting;
  if (most !== Infinity) found.push({ name: "waiting", most, now: state.waiting });
  return found;
}
