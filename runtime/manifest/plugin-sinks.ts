import { type Code, codeOf, PorticoError } from "../core/errors.ts";
import type { ServicePlan, SinkPlan } from "../core/plan.ts";
import { loadSink } from "../sinks/module.ts";
import { placeOf } from "./outlets.ts";
import { checkOptions } from "./plugin.ts";
import { dig, formatPath, show } from "./problem.ts";
import type { Report } from "./source.ts";

/** What each reference to a sink of a plugin comes to, once its schema has seen the options. */
export type PreparedSinks = ReadonlyMap<SinkPlan, SinkPlan>;

/** Imports the plugins that provide types of sinks, and has them check their options. */
export async function prepareSinks(
  services: readonly ServicePlan[],
  report: Report,
): Promise<PreparedSinks> {
  const plans = new Set(services.flatMap(({ log }) => log).filter(({ module }) => module));
  // A declared sink is checked once, whoever uses it.
  const checks = new Map<string, Promise<SinkPlan["options"] | undefined>>();
  const ready = await Promise.all([...plans].map(async (plan) => {
    const place = formatPath(placeOf(plan));
    const check = checks.get(place) ?? checkSink(plan, report);
    checks.set(place, check);
    return [plan, { ...plan, options: await check ?? {} }] as const;
  }));
  return new Map(ready);
}

async function checkSink(
  plan: SinkPlan,
  report: Report,
): Promise<SinkPlan["options"] | undefined> {
  const path = placeOf(plan);
  try {
    const definition = await loadSink(plan.module!.url);
    const check = await checkOptions(definition, plan.options);
    if ("options" in check) return check.options as SinkPlan["options"];
    for (const { path: inner, message } of check.issues) {
      const place = [...path, ...inner];
      const value = dig(report.source.value, place);
      report.add(place, show(value), message, { code: "PLUGIN_OPTIONS" });
    }
  } catch (error) {
    if (!(error instanceof PorticoError)) throw error;
    const code: Code = codeOf(error)!;
    const named = typeof dig(report.source.value, path) === "string";
    report.add(named ? path : [...path, "type"], show(plan.type), error.message, { code });
  }
  return undefined;
}
