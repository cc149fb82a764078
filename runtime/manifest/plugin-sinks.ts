import { codeOf, PorticoError } from "../core/errors.ts";
import type { ServicePlan, SinkPlan } from "../core/plan.ts";
import type { VersionOf } from "../modules/import.ts";
import { pathOf } from "./sinks.ts";
import { checkOptions, wrongOptions } from "../modules/plugin-options.ts";
import { dig, formatPath, show } from "../values/problem.ts";
import type { SinkCatalog } from "../values/sink-catalog.ts";
import type { Problems } from "./source.ts";
import { checkTypedLater } from "./typed.ts";

type Module = NonNullable<SinkPlan["module"]>;

/** What each reference to a sink of a plugin comes to, once its schema has seen the options. */
export type PreparedSinks = ReadonlyMap<SinkPlan, SinkPlan>;

/**
 * Imports the plugins that provide types of sinks, and has them check their options. Those whose code
 * has changed are others than before, with a version.
 */
export async function prepareSinks(
  services: readonly ServicePlan[],
  catalog: Pick<SinkCatalog, "load">,
  problems: Problems,
  versionOf: VersionOf,
): Promise<PreparedSinks> {
  const versions = new Map<string, string | undefined>();
  const moduleOf = ({ module }: SinkPlan): Module => {
    const { url } = module!;
    if (!versions.has(url)) versions.set(url, versionOf(url));
    const version = versions.get(url);
    return { ...module!, ...(version !== undefined && { version }) };
  };
  const plans = new Set(services.flatMap(({ log }) => log).filter(({ module }) => module));
  // A declared sink is checked once, whoever uses it.
  const checks = new Map<string, Promise<SinkPlan["options"] | undefined>>();
  const ready = await Promise.all([...plans].map(async (plan) => {
    const place = formatPath(pathOf(plan));
    const module = moduleOf(plan);
    const check = checks.get(place) ?? checkOptionsOf(plan, module, catalog, problems);
    checks.set(place, check);
    return [plan, { ...plan, module, options: await check ?? {} }] as const;
  }));
  return new Map(ready);
}

async function checkOptionsOf(
  plan: SinkPlan,
  module: Module,
  catalog: Pick<SinkCatalog, "load">,
  problems: Problems,
): Promise<SinkPlan["options"] | undefined> {
  const path = pathOf(plan);
  try {
    const definition = await catalog.load(module);
    const { result: check } = await checkTypedLater(
      problems.source,
      path,
      plan.options,
      (options) => checkOptions(definition, options),
      wrongOptions,
    );
    if ("options" in check) return check.options as SinkPlan["options"];
    for (const { path: inner, message } of check.issues) {
      const place = [...path, ...inner];
      const value = dig(problems.source.value, place);
      problems.add(place, show(value), message, { code: "PLUGIN_OPTIONS" });
    }
  } catch (error) {
    if (!(error instanceof PorticoError)) throw error;
    const { hint, at } = error;
    const details = { code: codeOf(error)!, hint, at };
    const named = typeof dig(problems.source.value, path) === "string";
    problems.add(named ? path : [...path, "type"], show(plan.type), error.message, details);
  }
  return undefined;
}
