/** A manifest as the server runs it: read, expanded, with its plugins. */
import process from "node:process";
import { pathToFileURL } from "node:url";
import type { Plan, ServicePlan } from "../core/plan.ts";
import { expand } from "../manifest/expand.ts";
import { hasWorkers } from "../manifest/limits.ts";
import { load } from "../manifest/load.ts";
import { prepare, type PreparedService } from "../manifest/prepare.ts";
import type { Source } from "../manifest/source.ts";
import { sinkCatalog } from "../sinks/mod.ts";
import type { ModuleVersions } from "./module-versions.ts";

/** What a manifest came to when it was read. */
export interface LoadedManifest {
  readonly source: Source;
  readonly plan: Plan;
  readonly services: readonly PreparedService[];
}

/**
 * Reads a manifest, with its plugins.
 *
 * @param json lets those sinks print JSON that would print lines for people.
 * @param versions of modules that were imported before.
 * @throws ManifestError with everything that is wrong.
 */
export async function loadManifest(
  path: string,
  json: boolean,
  versions?: ModuleVersions,
): Promise<LoadedManifest> {
  const source = await load(path, process.env, versions?.of);
  const whole = expand(source, sinkCatalog);
  const given = json ? { ...whole, services: whole.services.map(printingJson) } : whole;
  const services = await prepare(given, source, sinkCatalog, versions?.of);
  return { source, plan: { ...given, services: services.map(({ plan }) => plan) }, services };
}

function printingJson(plan: ServicePlan): ServicePlan {
  return {
    ...plan,
    log: plan.log.map((sink) => sink.type === "console" ? { ...sink, type: "json" } : sink),
  };
}

/** The modules of a manifest: itself where it is one, the plugins, their sinks. Each once. */
export function moduleUrls(manifest: LoadedManifest): string[] {
  const plugins = manifest.services.map(({ plan }) => plan.plugin.url);
  return [...new Set([...residentUrls(manifest), ...plugins])];
}

/** Those of them whose code serves in this process, and not in workers alone. */
export function residentUrls({ source, services }: LoadedManifest): string[] {
  const manifest = /\.[cm]?[jt]s$/.test(source.file) ? [pathToFileURL(source.file).href] : [];
  const plans = services.map(({ plan }) => plan);
  const sinks = plans.flatMap(({ log }) => log).flatMap(({ module }) => module?.url ?? []);
  const inline = plans.filter(({ concurrency }) => !hasWorkers(concurrency.strategy));
  return [...new Set([...manifest, ...inline.map(({ plugin }) => plugin.url), ...sinks])];
}
