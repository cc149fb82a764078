/** What every reference to a sink may say, whatever its type. */
import * as v from "valibot";
import type { SinkPlan } from "../core/plan.ts";
import { EVENTS, LEVELS } from "../core/record.ts";
import { FIELD_WORDS } from "../values/field-words.ts";
import { entry, flag } from "../values/fields.ts";

const EVENT = `an event: ${EVENTS.join(", ")}`;
const EVENT_LIST = 'a list of events, as ["open", "close"]';
const FIELD = "the name of a field: letters, digits and _";
const FIELD_LIST = `a list of fields, as ["host", "duration", "traffic"]: ${
  Object.keys(FIELD_WORDS).join(", ")
}, or names of fields`;
const SHARE = "a share of the sessions: a number from 0 to 1";

/** The keys of the policies. */
export const POLICIES = {
  level: entry(
    "the least level that it takes; info when silent",
    () => v.picklist(LEVELS, `a level: ${LEVELS.join(", ")}`),
  ),
  events: entry(
    "only these events; when silent all but request and datagram, which are access records",
    () => v.pipe(v.array(v.picklist(EVENTS, EVENT), EVENT_LIST), v.minLength(1, EVENT_LIST)),
  ),
  fields: entry(
    `which fields open, close and refuse have beside service and session; all when silent. Beside names of fields: ${
      Object.keys(FIELD_WORDS).join(", ")
    }`,
    () => v.array(v.pipe(v.string(FIELD), v.regex(/^\w+$/, FIELD)), FIELD_LIST),
  ),
  sample: entry(
    "the share of the sessions whose records it takes, 0 to 1; warnings and errors always",
    () => v.pipe(v.number(SHARE), v.minValue(0, SHARE), v.maxValue(1, SHARE)),
  ),
  optional: entry("when it cannot be opened, the server starts without it", flag),
};

/** What a reference to a sink says, without what its type takes. */
export type Policies = Pick<SinkPlan, "events" | "fields" | "sample" | "optional"> & {
  readonly level?: SinkPlan["level"];
};

/** Parts a reference into its policies and the options of its type. */
export function partSink<Sink extends Record<string, unknown>>(
  sink: Sink,
): { policies: Policies; options: Record<string, unknown> } {
  const known = (key: string): boolean => Object.hasOwn(POLICIES, key);
  const said = Object.entries(sink).filter(([, value]) => value !== undefined);
  return {
    policies: Object.fromEntries(said.filter(([key]) => known(key))),
    options: Object.fromEntries(said.filter(([key]) => !known(key) && key !== "type")),
  };
}
