/** The joint between a plan's sinks and the log: checks them, opens them, shares them. */
import * as v from "valibot";
import type { Support } from "../core/contract.ts";
import { toPorticoError } from "../core/errors.ts";
import type { SinkPlan } from "../core/plan.ts";
import type { Sink } from "../core/record.ts";
import { openModule } from "./module.ts";
import { asksUser, levelsOf, type OpenOutlet, selectFields } from "./policies.ts";
import { SINK_TYPES, type SinkHost, type SinkType } from "./types.ts";

export { type OpenOutlet, unite } from "./policies.ts";
export type { SinkHost } from "./types.ts";

/** A sink that is open, with the name and type of its first reference. */
export interface OpenSink {
  readonly name: string;
  readonly type: string;
  readonly sink: Sink;
}

/** The types of sinks that can be opened. */
export const sinkTypes: readonly string[] = Object.keys(SINK_TYPES);

/** What {@link checkSink} found. */
export type SinkCheck =
  | {
    readonly options: Readonly<Record<string, unknown>>;
    readonly paths: readonly string[];
    readonly locate?: SinkType["locate"];
  }
  | { readonly issues: readonly v.BaseIssue<unknown>[] }
  | { readonly unknownType: string };

/**
 * Checks a sink by its type's own schema and completes its options.
 *
 * @returns the options, with the names of those that are paths; or what is wrong: `issues` by
 * option, or `unknownType`, which says what types there are.
 */
export function checkSink({ type, options }: Pick<SinkPlan, "type" | "options">): SinkCheck {
  const found = Object.hasOwn(SINK_TYPES, type) ? SINK_TYPES[type] : undefined;
  if (found === undefined) {
    return { unknownType: `a type of sink: ${sinkTypes.join(", ")}` };
  }
  const result = v.safeParse(found.schema, options, { abortPipeEarly: true });
  return result.success
    ? {
      options: result.output,
      paths: found.paths,
      ...(found.locate !== undefined && { locate: found.locate }),
    }
    : { issues: result.issues };
}

/** Whether a sink of a plan could be opened here; nothing is opened. */
export function probeSink({ type, options }: Pick<SinkPlan, "type" | "options">): Support {
  return SINK_TYPES[type]?.probe?.(options) ?? true;
}

/**
 * Opens the sinks of one service. Sinks of the same type and options are one instance, which all
 * its services share through `opened`; policies may differ.
 *
 * @throws PorticoError when one cannot be opened that is not optional: a log file without its folder,
 * or without permission.
 */
export async function openSinks(
  plans: readonly SinkPlan[],
  host: SinkHost,
  opened: Map<string, OpenSink> = new Map(),
): Promise<OpenOutlet[]> {
  const outlets: OpenOutlet[] = [];
  for (const plan of plans) {
    const { name, type, fields, sample } = plan;
    // What goes nowhere is not even made.
    if (type === "none") continue;
    const key = keyOf(plan);
    let open = opened.get(key);
    if (open === undefined) {
      try {
        open = { name, type, sink: await openSink(plan, host) };
      } catch (error) {
        const failure = toPorticoError(error, "SINK_FAILED", "config");
        if (plan.optional !== true) throw failure;
        host.warn(`the sink ${name} is left out: ${failure.message}`);
        continue;
      }
      opened.set(key, open);
    }
    const base = open.sink;
    const sink = fields === undefined ? base : selectFields(base, fields);
    outlets.push({ name, sink, base, level: levelsOf(plan), sample, user: asksUser(fields) });
  }
  return outlets;
}

function keyOf({ name, type, module, options }: SinkPlan): string {
  const own = SINK_TYPES[type]?.named === true ? name : undefined;
  return JSON.stringify([type, module?.url, own, Object.entries(options).toSorted()]);
}

async function openSink(plan: SinkPlan, host: SinkHost): Promise<Sink> {
  const { name, type, module, options } = plan;
  if (module === undefined) return await SINK_TYPES[type]!.open(options, { ...host, name });
  return await openModule(module, name, options, host.warn);
}
