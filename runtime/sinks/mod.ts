/** The joint between a plan's sinks and the log: checks them, opens them, shares them. */
import * as v from "valibot";
import type { Support } from "../core/contract.ts";
import { toPorticoError } from "../core/errors.ts";
import type { Outlet } from "../core/log.ts";
import type { SinkPlan } from "../core/plan.ts";
import type { Sink } from "../core/record.ts";
import { didYouMean } from "../manifest/nearest.ts";
import { LATER, SINK_TYPES, type SinkHost } from "./types.ts";

export type { SinkHost } from "./types.ts";

/** The types of sinks that can be opened. */
export const sinkTypes: readonly string[] = Object.keys(SINK_TYPES);

/** And those that DESIGN names beside them. */
export const knownTypes: readonly string[] = [...sinkTypes, ...LATER];

/** What {@link checkSink} found. */
export type SinkCheck =
  | { readonly options: Readonly<Record<string, unknown>>; readonly paths: readonly string[] }
  | { readonly issues: readonly v.BaseIssue<unknown>[] }
  | { readonly unknownType: string; readonly hint: string | undefined };

/**
 * Checks a sink by its type's own schema and completes its options.
 *
 * @returns the options, with the names of those that are paths; or what is wrong: `issues` by
 * option, or `unknownType`, which says what types there are, with a hint.
 */
export function checkSink({ type, options }: Pick<SinkPlan, "type" | "options">): SinkCheck {
  const found = Object.hasOwn(SINK_TYPES, type) ? SINK_TYPES[type] : undefined;
  if (found === undefined) {
    const list = sinkTypes.join(", ");
    return LATER.includes(type)
      ? { unknownType: `a type of sink: ${list}`, hint: `${type} arrives in a later version` }
      : { unknownType: `a type of sink: ${list}`, hint: didYouMean(type, sinkTypes) };
  }
  const result = v.safeParse(found.schema, options, { abortPipeEarly: true });
  return result.success
    ? { options: result.output, paths: found.paths }
    : { issues: result.issues };
}

/** Whether a sink of a plan could be opened here; nothing is opened. */
export function probeSink({ type, options }: Pick<SinkPlan, "type" | "options">): Support {
  return SINK_TYPES[type]?.probe?.(options) ?? true;
}

/**
 * Opens the sinks of one service. Sinks of the same type and options are one instance, which all
 * its services share through `opened`; levels may differ.
 *
 * @throws PorticoError when one cannot be opened: a log file without its folder, or without permission.
 */
export async function openSinks(
  plans: readonly SinkPlan[],
  host: SinkHost,
  opened: Map<string, Sink> = new Map(),
): Promise<Outlet[]> {
  const outlets: Outlet[] = [];
  for (const { name, type, level, options } of plans) {
    const key = JSON.stringify([type, Object.entries(options).toSorted()]);
    let sink = opened.get(key);
    if (sink === undefined) {
      try {
        sink = await SINK_TYPES[type]!.open(options, host);
      } catch (error) {
        throw toPorticoError(error, "SINK_FAILED", "config");
      }
      opened.set(key, sink);
    }
    outlets.push({ name, sink, level });
  }
  return outlets;
}
