/** The joint between a plan's sinks and the log: opens them, shares them. */
import type { SinkPlan } from "../core/plan.ts";
import type { Sink } from "../core/record.ts";
import { asksTls, asksUser } from "../values/field-words.ts";
import { failureOf, OptionalSink } from "./optional.ts";
import { openModule } from "./module.ts";
import { levelsOf, type OpenOutlet, selectFields } from "./policies.ts";
import { SINK_TYPES, type SinkHost } from "./types.ts";

export { checkSink, probeSink, sinkCatalog, sinkTypes } from "./catalog.ts";
export { type OpenOutlet, unite } from "./policies.ts";
export type { SinkHost } from "./types.ts";

/** A sink that is open, with the name and type of its first reference. */
export interface OpenSink {
  readonly name: string;
  readonly type: string;
  readonly sink: Sink;
}

/**
 * Opens the sinks of one service. Sinks of the same type and options are one instance, which all
 * its services share through `opened`; policies may differ. One that is optional, and cannot be
 * opened, counts what it misses until {@link retryOptional} opens it.
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
    // Without a sink the log does not even make the records.
    if (type === "none") continue;
    const key = keyOf(plan);
    const open = opened.get(key) ?? { name, type, sink: await openOrLeaveOut(plan, host) };
    opened.set(key, open);
    const base = open.sink;
    // Another service has it as an optional one; this one cannot do without.
    if (base instanceof OptionalSink && plan.optional !== true) await base.open();
    const sink = fields === undefined ? base : selectFields(base, fields);
    const asks = { user: asksUser(fields), tls: asksTls(fields) };
    outlets.push({ name, sink, base, level: levelsOf(plan), sample, ...asks });
  }
  return outlets;
}

function keyOf({ name, type, module, options }: SinkPlan): string {
  const own = SINK_TYPES[type]?.named === true ? name : undefined;
  return JSON.stringify([
    type,
    module?.url,
    module?.version,
    own,
    Object.entries(options).toSorted(),
  ]);
}

async function openOrLeaveOut(plan: SinkPlan, host: SinkHost): Promise<Sink> {
  try {
    return await openSink(plan, host);
  } catch (error) {
    const failure = failureOf(error);
    if (plan.optional !== true) throw failure;
    host.warn(`the sink ${plan.name} is left out: ${failure.message}`);
    return new OptionalSink(() => openSink(plan, host));
  }
}

/** Whether it is an optional sink that could not be opened. */
export function isMissing(sink: Sink): boolean {
  return sink instanceof OptionalSink && sink.missing;
}

/** Tries again to open the optional sinks that could not be opened before. */
export async function retryOptional(sinks: Iterable<OpenSink>, host: SinkHost): Promise<void> {
  for (const { name, sink } of sinks) {
    if (!(sink instanceof OptionalSink) || !sink.missing) continue;
    try {
      await sink.open();
      host.warn(`the sink ${name} is there now; records that it has missed: ${sink.dropped()}`);
    } catch (error) {
      host.warn(`the sink ${name} is left out: ${failureOf(error).message}`);
    }
  }
}

async function openSink(plan: SinkPlan, host: SinkHost): Promise<Sink> {
  const { name, type, module, options } = plan;
  if (module === undefined) return await SINK_TYPES[type]!.open(options, { ...host, name });
  return await openModule(module, name, options, host.warn);
}
