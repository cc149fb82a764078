import type { Placed } from "./placed.ts";
import type { Policy } from "./policy.ts";
import type { Rate, SourceRates } from "./rate.ts";

/** What a service's `Places` has in use; not to be changed. */
export interface PlacesState {
  readonly policy: Policy;
  readonly placed: Pick<Placed, "count" | "from">;
  readonly turns: number;
  readonly rate: Pick<Rate, "left">;
  readonly rates: Pick<SourceRates, "left">;
  /** How many wait; how long the service still rests, in ms; and the clock's time. */
  readonly waiting: number;
  readonly rests: number;
  readonly time: number;
}
