import { kindOf } from "../core/endpoint.ts";
import { codeOf, PorticoError } from "../core/errors.ts";
import { describeScope, splitsState } from "../core/scope.ts";
import { decidesByUser, type Plan, type ServicePlan } from "../core/plan.ts";
import type { Plugin } from "../core/plugin.ts";
import type { Matcher } from "../core/prologue/match.ts";
import type { MatchPlan } from "../core/prologue/match-plan.ts";
import { isInherited } from "./inherited.ts";
import { hasWorkers } from "./limits.ts";
import type { VersionOf } from "../modules/import.ts";
import { loadPlugin, misfit } from "../modules/plugin.ts";
import { checkOptions, wrongOptions } from "../modules/plugin-options.ts";
import { prepareSinks } from "./plugin-sinks.ts";
import { parseRate } from "../core/units.ts";
import { asksUser } from "../values/field-words.ts";
import { dig, type Path, show } from "../values/problem.ts";
import type { SinkCatalog } from "../values/sink-catalog.ts";
import { Problems, type Source } from "./source.ts";
import { checkTypedLater } from "./typed.ts";

/** A service whose plugin is there and has taken its options. */
export interface PreparedService {
  readonly plan: ServicePlan;
  readonly plugin: Plugin;
  /** What the plugin's schema made of them. */
  readonly options: unknown;
  /** By the URL of its module: what tells the peers of a service with `match` apart. */
  readonly matchers?: ReadonlyMap<string, Matcher>;
}

/**
 * Imports the plugins of a plan, all at once, and has them check their options and endpoints.
 *
 * @param sinks imports the types of sinks that plugins provide.
 * @throws ManifestError with everything that is wrong: PLUGIN_NOT_FOUND, PLUGIN_INVALID, PLUGIN_OPTIONS,
 * MANIFEST_INVALID for an endpoint that the plugin does not serve.
 */
export async function prepare(
  plan: Plan,
  source: Source,
  sinks: Pick<SinkCatalog, "load">,
  versionOf: VersionOf = () => undefined,
): Promise<PreparedService[]> {
  const problems = new Problems(source);
  const [prepared, ...services] = await Promise.all([
    prepareSinks(plan.services, sinks, problems, versionOf),
    ...plan.services.map((service) => one(service, problems, versionOf)),
  ]);
  problems.throwIfAny();
  const found = services.filter((service) => service !== undefined);
  return found.map(({ plan, ...rest }) => ({
    ...rest,
    plan: {
      ...plan,
      log: plan.log.map((sink) => prepared.get(sink) ?? sink),
      ...(plan.match !== undefined && { match: withHolds(plan.match, found) }),
    },
  }));
}

/** See {@link MatchPlan.holds}. */
function withHolds(match: MatchPlan, services: readonly PreparedService[]): MatchPlan {
  const targets = match.routes.map(({ service }) =>
    services.find(({ plan }) => plan.name === service)
  );
  const holds = targets.every((target) =>
    target !== undefined && (serves(target, "stream") || serves(target, "http")) &&
    target.plugin.takes !== true && !hasWorkers(target.plan.concurrency.strategy)
  );
  if (!holds) return match;
  return {
    ...match,
    holds: {
      unix: !targets.some((target) => asksWho(target!.plan)),
      http: targets.some((target) => !serves(target!, "stream")),
    },
  };
}

function serves({ plugin }: PreparedService, kind: "stream" | "http"): boolean {
  return plugin.transports.includes(kind);
}

function asksWho(plan: ServicePlan): boolean {
  return decidesByUser(plan) || plan.log.some(({ fields }) => asksUser(fields));
}

async function one(
  plan: ServicePlan,
  problems: Problems,
  versionOf: VersionOf,
): Promise<PreparedService | undefined> {
  const path = ["services", plan.name];
  if (plan.match !== undefined) {
    const { loadMatchers, MATCH_PLUGIN } = await import("./match-modules.ts");
    const matchers = await loadMatchers(plan, problems, versionOf);
    return { plan, plugin: MATCH_PLUGIN, options: {}, matchers };
  }
  try {
    const plugin = await loadPlugin(plan.plugin, versionOf(plan.plugin.url));
    checkTransports(plugin, plan, [...path, "listen"], problems);
    const { value, result: check } = await checkTypedLater(
      problems.source,
      [...path, "options"],
      plan.options,
      (options) => checkOptions(plugin, options),
      wrongOptions,
    );
    if ("options" in check) {
      checkReached(plugin, plan, path, problems);
      checkFit(plugin, plan, check.options, path, problems);
      checkScope(plugin, plan, path, problems);
      checkTaken(plugin, plan, path, problems);
      // Workers check the options themselves.
      const given = { ...withRate(plan, plugin), options: value };
      return { plan: given, plugin, options: check.options };
    }
    for (const { path: inner, message } of check.issues) {
      problems.add([...path, "options", ...inner], show(dig(plan.options, inner)), message, {
        code: "PLUGIN_OPTIONS",
      });
    }
  } catch (error) {
    if (!(error instanceof PorticoError)) throw error;
    const { hint, at } = error;
    const details = { code: codeOf(error)!, hint, at };
    const { specifier, app } = plan.plugin;
    const place = app === true ? ["options", "app"] : ["plugin"];
    problems.add([...path, ...place], show(specifier), error.message, details);
  }
  return undefined;
}

/** The plugin's own rate of datagrams where the manifest has none. */
function withRate(plan: ServicePlan, { datagramRate }: Plugin): ServicePlan {
  const { limits } = plan;
  if (datagramRate === undefined || (limits.datagramRate ?? limits.ratePerSource) !== undefined) {
    return plan;
  }
  return { ...plan, limits: { ...limits, datagramRate: parseRate(datagramRate) } };
}

/** A plugin may ask for an option where an endpoint is open to others. */
function checkFit(
  plugin: Plugin,
  plan: ServicePlan,
  options: unknown,
  path: Path,
  problems: Problems,
): void {
  const wrong = misfit(plugin, options, plan.listen.map(({ endpoint }) => endpoint));
  if (wrong === undefined) return;
  const texts = plan.listen.map(({ text }) => text).join(", ");
  problems.add([...path, "listen"], show(texts), wrong);
}

/** A plugin whose state has to be one is not to be given several. */
function checkScope(plugin: Plugin, plan: ServicePlan, path: Path, problems: Problems): void {
  const { strategy, workers } = plan.concurrency;
  if (plugin.scope !== "service" || !splitsState(strategy, workers)) return;
  const several = describeScope(strategy, workers);
  problems.add(
    [...path, "concurrency"],
    strategy === "spawn" ? strategy : `${strategy} with ${workers} workers`,
    `"serial", "async" or 1 worker: the plugin ${plugin.name} keeps one state for all sessions, and here ${several}`,
  );
}

/** What goes through a socket that a plugin takes nobody else sees. */
function checkTaken(
  { name, takes }: Plugin,
  plan: ServicePlan,
  path: Path,
  problems: Problems,
): void {
  const streams = plan.listen.some(({ endpoint }) =>
    isInherited(endpoint) || kindOf(endpoint.transport) === "stream"
  );
  if (takes !== true || !streams) return;
  for (const key of ["bytes", "bytesPerSecond"] as const) {
    if (plan.limits[key] === undefined) continue;
    problems.add(
      [...path, "limits", key],
      `${show(key)}, of streams of the plugin ${name}`,
      `"none": the plugin ${name} takes the sockets itself, and nobody sees what goes through them`,
      { part: "key" },
    );
  }
}

/** What is handed to it are streams, which may be those of HTTP. */
function checkReached(
  { name, transports }: Plugin,
  { reached, concurrency: { strategy } }: ServicePlan,
  path: Path,
  problems: Problems,
): void {
  if (!reached || transports.includes("stream")) return;
  if (!transports.includes("http")) {
    problems.add(
      [...path, "plugin"],
      `${show(name)}, which "match" of another service leads to`,
      `a plugin that serves streams or http: this one serves ${transports.join(" and ")}`,
    );
  } else if (hasWorkers(strategy)) {
    problems.add(
      [...path, "concurrency"],
      `the strategy ${show(strategy)}, and http`,
      '"async" or "serial": workers cannot serve HTTP in this version',
    );
  }
}

/**
 * A plugin says whether it serves streams, datagrams or HTTP; its endpoints have to be of these. What
 * an inherited socket is can be seen when the server starts: `activation/inherited.ts`.
 */
function checkTransports(plugin: Plugin, plan: ServicePlan, path: Path, problems: Problems): void {
  const array = Array.isArray(dig(problems.source.value, path));
  for (const [index, { endpoint, text }] of plan.listen.entries()) {
    if (isInherited(endpoint)) continue;
    const kind = kindOf(endpoint.transport);
    if (plugin.transports.includes(kind)) continue;
    problems.add(
      array ? [...path, index] : path,
      `${show(text)}, a ${kind} endpoint`,
      `a ${plugin.transports.join(" or ")} endpoint: the plugin ${plugin.name} serves no other`,
    );
  }
}
