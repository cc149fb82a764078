/** Which module, or which object, the plugin of a service is. */
import type { ServicePlan } from "../core/plan.ts";
import { nameOfObject, objectAt } from "../modules/object.ts";
import { HTTP, resolvePlugin } from "../modules/resolve.ts";
import { type Path, show } from "../values/problem.ts";
import { hasWorkers } from "./limits.ts";
import type { CheckedService } from "./schema.ts";
import { fileAt, type Problems } from "./source.ts";

type Named = Pick<ServicePlan, "plugin" | "options">;

/** What a plan says where the manifest is wrong. */
const NOTHING: Named = { plugin: { specifier: "", url: "" }, options: {} };

/** What stands in the place of a plugin where peers are handed to other services: `match-plugin.ts`. */
export const MATCHING: Named = { plugin: { specifier: "match", url: "match:" }, options: {} };

/**
 * Finds the plugin of a service. `http` is none itself: it names the module in its option `app`.
 *
 * @param shorts the manifest's `plugins`.
 * @param path of the service.
 */
export function pluginOf(
  { plugin, options = {} }: Partial<CheckedService>,
  shorts: Readonly<Record<string, string>>,
  problems: Problems,
  path: Path,
): Named {
  // That it lacks has been told of already.
  if (plugin === undefined) return NOTHING;
  const target = Object.hasOwn(shorts, plugin) ? shorts[plugin] : plugin;
  if (target !== HTTP) return { ...find(plugin, shorts, problems, [...path, "plugin"]), options };
  const { app, ...rest } = Object(options) as { readonly app?: unknown };
  const place = [...path, "options", "app"];
  if (typeof app === "string" && app !== HTTP) {
    const { plugin: found } = find(app, shorts, problems, place);
    return { plugin: { ...found, app: true }, options: rest };
  }
  problems.add(
    app === undefined ? path : place,
    app === undefined ? 'no "options": { "app": … }' : show(app),
    'the module that answers: "options": { "app": "./app.ts" }, whose default export has a fetch',
  );
  return NOTHING;
}

function find(
  specifier: string,
  shorts: Readonly<Record<string, string>>,
  problems: Problems,
  path: Path,
): Named {
  const { source } = problems;
  // A short name is the manifest's, and so is where its path starts.
  const file = Object.hasOwn(shorts, specifier) ? source.file : fileAt(source, path);
  const found = resolvePlugin(specifier, shorts, file);
  if (!("url" in found)) {
    const { received, expected, hint } = found;
    problems.add(path, received, expected, { code: "PLUGIN_NOT_FOUND", hint });
    return NOTHING;
  }
  const object = objectAt(found.url);
  const said = object === undefined ? specifier : nameOfObject(object) ?? "app";
  return { ...NOTHING, plugin: { specifier: said, url: found.url } };
}

/** A worker imports its plugin: an object cannot be given to it. */
export function checkReach(
  { specifier, url }: ServicePlan["plugin"],
  strategy: ServicePlan["concurrency"]["strategy"],
  problems: Problems,
  path: Path,
): void {
  if (!hasWorkers(strategy) || objectAt(url) === undefined) return;
  problems.add(
    [...path, "plugin"],
    `the object ${show(specifier)} with the strategy ${
      show(strategy)
    }, whose workers cannot be given an object`,
    `what they can import: a name, a path, or import.meta.resolve("./${specifier}.ts"); or the strategy "async" or "serial"`,
  );
}
