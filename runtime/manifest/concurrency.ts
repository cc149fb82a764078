/** How sessions are served, as a manifest says it. */
import * as v from "valibot";
import { STRATEGY_NAMES, type StrategyName } from "../core/plan.ts";
import { choice, count, entry, integer, strict } from "../values/fields.ts";

const STRATEGY = `a strategy: ${STRATEGY_NAMES.join(", ")}`;
const strategy = <const S extends string>(word: S) =>
  v.pipe(v.literal(word), v.description("when and where a session is served"));
const max = entry("sessions served at once; the rest wait their turn, unread", count);
const WORKERS = 'a whole number from 1 to 1024, or "auto"';
const workers = entry(
  '"auto" is one for each core',
  () =>
    choice(WORKERS, {
      number: integer(1, 1024, WORKERS),
      string: v.pipe(
        v.string(),
        v.regex(/^(?:auto|\d+)$/, WORKERS),
        v.transform((text) => text === "auto" ? text : Number(text)),
        v.check((value) => value === "auto" || (value >= 1 && value <= 1024), WORKERS),
      ),
    }),
);

const BY_STRATEGY = {
  serial: strict(STRATEGY, { strategy: strategy("serial") }),
  async: strict(STRATEGY, { strategy: strategy("async"), max }),
  threads: strict(STRATEGY, { strategy: strategy("threads"), workers, max }),
  processes: strict(STRATEGY, { strategy: strategy("processes"), workers, max }),
  spawn: strict(STRATEGY, { strategy: strategy("spawn"), max }),
} satisfies Record<StrategyName, v.GenericSchema>;

export const concurrency = choice(`${STRATEGY}; or { "strategy": "async", "max": 1000 }`, {
  string: v.picklist(STRATEGY_NAMES, STRATEGY),
  object: v.variant("strategy", Object.values(BY_STRATEGY), STRATEGY),
});
