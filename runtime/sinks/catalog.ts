/** The types of sinks, as those see them who open none: a manifest, and `portico check`. */
import * as v from "valibot";
import type { Support } from "../core/contract.ts";
import type { SinkPlan } from "../core/plan.ts";
import type { SinkCatalog, SinkCheck } from "../values/sink-catalog.ts";
import { loadSink } from "./module.ts";
import { SINK_TYPES, type SinkType } from "./types.ts";

/** The names of the types that come along. */
export const sinkTypes: readonly string[] = Object.keys(SINK_TYPES);

/** What a manifest has to know of them. */
export const sinkCatalog: SinkCatalog = {
  schemas: Object.fromEntries(
    Object.entries(SINK_TYPES).map(([type, { schema }]) => [type, schema]),
  ),
  check: checkSink,
  load: loadSink,
};

/** See {@link SinkCatalog.check}. */
export function checkSink(
  { type, options }: Pick<SinkPlan, "type" | "options">,
  absolute: (path: string) => string = (path) => path,
): SinkCheck {
  const found = SINK_TYPES[type]!;
  const result = v.safeParse(found.schema, options, { abortPipeEarly: true });
  if (!result.success) return { issues: result.issues };
  return { options: located(found, result.output, absolute) };
}

/** Whether a sink of a plan could be opened here; nothing is opened. */
export function probeSink({ type, options }: Pick<SinkPlan, "type" | "options">): Support {
  return SINK_TYPES[type]?.probe?.(options) ?? true;
}

function located(
  { paths, locate }: SinkType,
  options: SinkPlan["options"],
  absolute: (path: string) => string,
): SinkPlan["options"] {
  const entries = Object.entries(options).map(([key, value]) => [
    key,
    paths.includes(key) && typeof value === "string" ? absolute(value) : value,
  ]);
  const result = Object.fromEntries(entries) as SinkPlan["options"];
  return locate?.(result, absolute) ?? result;
}
