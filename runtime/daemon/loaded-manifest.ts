/** A manifest as the server runs it: read, expanded, with its plugins. */
import { pathToFileURL } from "node:url";
import type { Plan, ServicePlan } from "../core/plan.ts";
import { matcherUrls } from "../core/prologue/match-plan.ts";
import { expand } from "../manifest/expand.ts";
import { hasWorkers } from "../manifest/limits.ts";
import { prepare, type PreparedService } from "../manifest/prepare.ts";
import type { Source } from "../manifest/source.ts";
import type { VersionOf } from "../modules/import.ts";
import { sinkCatalog } from "../sinks/mod.ts";

/** What a manifest came to when it was read. */
export interface LoadedManifest {
  readonly source: Source;
  readonly plan: Plan;
  readonly services: readonly PreparedService[];
}

/** Reads a manifest, of wherever it is, at the start and at each reload. @throws ManifestError. */
export type ReadSource = (versionOf?: VersionOf) => Source | Promise<Source>;

/** Where records go. */
interface Logging {
  /** Those sinks print JSON that would print lines for people. */
  readonly json: boolean;
  /** When the manifest is silent; the console when this is, too. */
  readonly log?: NonNullable<Parameters<typeof expand>[2]>;
}

/**
 * Reads a manifest, with its plugins.
 *
 * @param versionOf modules that were imported before.
 * @throws ManifestError with everything that is wrong.
 */
export async function loadManifest(
  read: ReadSource,
  { json, log }: Logging,
  versionOf?: VersionOf,
): Promise<LoadedManifest> {
  const source = await read(versionOf);
  const whole = expand(source, sinkCatalog, log);
  const given = json ? { ...whole, services: whole.services.map(printingJson) } : whole;
  const services = await prepare(given, source, sinkCatalog, versionOf);
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
  const served = inline.flatMap((plan) => [plan.plugin.url, ...matcherUrls(plan)]);
  return [...new Set([...manifest, ...served, ...sinks])];
}
