/** What a manifest calls its plugins and sinks, before anybody has checked the rest of it. */
import { BUILT_IN, HTTP, resolvePlugin } from "../modules/resolve.ts";
import type { Path } from "../values/problem.ts";
import { substitute } from "./environment.ts";
import { Problems, type Source } from "./source.ts";

/** A module that a manifest names. */
export interface NamedModule {
  /** As it is named, where it is used. */
  readonly specifier: string;
  /** What a short name stands for; else the same. */
  readonly target: string;
  readonly url: string;
  /** It answers requests, and may be no plugin: what `http` is given as its option `app`. */
  readonly app?: true;
}

/** All that are named, each once. */
export interface NamedModules {
  /** Of services. */
  readonly plugins: readonly NamedModule[];
  readonly sinks: readonly NamedModule[];
  /** Short names that nothing uses. */
  readonly unused: readonly NamedModule[];
  /** How many services there are. */
  readonly services: number;
}

/**
 * Reads the names in a manifest. What its values say is not looked at, so that variables of the
 * environment need not be set, but in the names of plugins.
 *
 * @param types the types of sinks that come along.
 * @throws ManifestError PLUGIN_NOT_FOUND for a plugin that is not there.
 */
export function namedModules(
  source: Source,
  types: readonly string[],
  variables: Readonly<Record<string, string | undefined>>,
): NamedModules {
  const problems = new Problems(source);
  const manifest = Object(source.value) as Loose;
  const known = (text: unknown, path: Path): string => {
    const value = substitute(
      text,
      variables,
      (...problem) => problems.add(...problem),
      () => {},
      path,
    );
    return typeof value === "string" ? value : "";
  };
  const shorts = Object.fromEntries(
    entriesOf(manifest.plugins).map(([name, to]) => [name, known(to, ["plugins", name])]),
  );
  const find = (specifier: string, path?: Path): NamedModule[] => {
    if (specifier === "") return [];
    const found = resolvePlugin(specifier, shorts, source.file);
    const target = Object.hasOwn(shorts, specifier) ? shorts[specifier]! : specifier;
    if ("url" in found) return [{ specifier, target, url: found.url }];
    const { received, expected, hint } = found;
    if (path !== undefined) {
      problems.add(path, received, expected, { code: "PLUGIN_NOT_FOUND", hint });
    }
    return [];
  };
  const services = entriesOf(manifest.services);
  const plugins = services.flatMap(([name, service]) => {
    const path = ["services", name, "plugin"];
    const { plugin, match, options } = Object(service) as Loose;
    const specifier = known(plugin, path);
    const routed = matchersOf(match, known, find, path);
    if ((Object.hasOwn(shorts, specifier) ? shorts[specifier] : specifier) !== HTTP) {
      return [...find(specifier, path), ...routed];
    }
    const { app } = Object(options) as { readonly app?: unknown };
    const place = ["services", name, "options", "app"];
    const apps = find(known(app ?? "", place), place);
    return [...apps.map((each) => ({ ...each, app: true as const })), ...routed];
  });
  const declared = new Set([...types, ...entriesOf(manifest.sinks).map(([name]) => name)]);
  const sinks = sinksOf(manifest, services).filter((type) => !declared.has(type)).flatMap((type) =>
    // A built-in plugin is no sink; what is none at all is told by the check.
    BUILT_IN.includes(type) && !Object.hasOwn(shorts, type) ? [] : find(type)
  );
  problems.throwIfAny();
  const used = new Set([...plugins, ...sinks].map(({ specifier }) => specifier));
  const unused = Object.keys(shorts).filter((name) => !used.has(name)).flatMap((name) =>
    find(name)
  );
  return { plugins: once(plugins), sinks: once(sinks), unused, services: services.length };
}

function once(modules: readonly NamedModule[]): NamedModule[] {
  return [...new Map(modules.map((module) => [module.specifier, module])).values()];
}

/** A manifest, or a service, as nobody has checked it yet. */
interface Loose {
  readonly plugins?: unknown;
  readonly services?: unknown;
  readonly sinks?: unknown;
  readonly defaults?: unknown;
  readonly plugin?: unknown;
  readonly match?: unknown;
  readonly options?: unknown;
  readonly log?: unknown;
  readonly "log+="?: unknown;
}

/** The modules that a service tells its peers apart by. */
function matchersOf(
  match: unknown,
  known: (text: unknown, path: Path) => string,
  find: (specifier: string, path: Path) => NamedModule[],
  path: Path,
): NamedModule[] {
  const { routes = match } = Object(match) as { readonly routes?: unknown };
  if (!Array.isArray(routes)) return [];
  return routes.flatMap((route: unknown) => {
    const { when } = Object(route) as { readonly when?: unknown };
    const { plugin } = Object(when) as { readonly plugin?: unknown };
    const place = [...path.slice(0, -1), "match"];
    return plugin === undefined ? [] : find(known(plugin, place), place);
  });
}

function entriesOf(value: unknown): [string, unknown][] {
  return Object.entries(Object(value) as Record<string, unknown>);
}

/** The types and names of all sinks. */
function sinksOf(manifest: Loose, services: readonly (readonly [string, unknown])[]): string[] {
  const owners = [manifest.defaults, ...services.map(([, service]) => service)];
  const logs = owners.flatMap((owner) => {
    const { log, "log+=": more } = Object(owner) as Loose;
    return [log, more].flat();
  });
  const all: unknown[] = [...entriesOf(manifest.sinks).map(([, sink]) => sink), ...logs];
  return all
    .map((sink) => typeof sink === "string" ? sink : (Object(sink) as { type?: unknown }).type)
    .filter((type) => typeof type === "string");
}
