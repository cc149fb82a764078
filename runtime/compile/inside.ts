/** What of a manifest has to be inside an executable: itself, and the modules that it names. */
import { readFileSync } from "node:fs";
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import { substitute } from "../manifest/environment.ts";
import { isModule, read } from "../manifest/load.ts";
import { Problems } from "../manifest/source.ts";
import { BUILT_IN, resolvePlugin } from "../modules/resolve.ts";
import { type Path, show } from "../values/problem.ts";

/** A module that a manifest names. */
export interface NamedModule {
  /** As the manifest calls it, where it is no short name. */
  readonly target: string;
  /** Its file; undefined of one that only a runtime can fetch: `npm:`, `jsr:`, `https:`. */
  readonly file: string | undefined;
}

/** What goes into an executable. */
export interface Inside {
  /** The manifest's file. */
  readonly manifest: string;
  /** Its text; undefined of a module. */
  readonly text: string | undefined;
  /** Beside the plugins that come along. */
  readonly modules: readonly NamedModule[];
  /** How many services it has, and what their plugins are called. */
  readonly services: number;
  readonly plugins: readonly string[];
}

/**
 * Reads a manifest for the names in it. What its values say is not looked at: variables of the
 * environment are those of the machine where the executable runs, but in the names of plugins.
 *
 * @param types the types of sinks that come along.
 * @throws ManifestError PLUGIN_NOT_FOUND for a plugin that is not there.
 */
export async function insideOf(
  file: string,
  types: readonly string[],
  variables: Readonly<Record<string, string | undefined>>,
): Promise<Inside> {
  const source = await read(file);
  const problems = new Problems(source);
  const manifest = source.value as Loose;
  const known = (text: unknown): string => {
    const value = substitute(text, variables, (...problem) => problems.add(...problem));
    return typeof value === "string" ? value : "";
  };
  const shorts = Object.fromEntries(
    Object.entries(Object(manifest?.plugins) as object).map(([name, to]) => [name, known(to)]),
  );
  const services = Object.entries(Object(manifest?.services) as Record<string, Loose>);
  const modules = new Map<string, NamedModule>();
  const add = (name: string, path?: Path): void => {
    const target = Object.hasOwn(shorts, name) ? shorts[name]! : name;
    if (name === "" || BUILT_IN.includes(target)) return;
    const found = resolvePlugin(name, shorts, file);
    if ("url" in found) {
      const own = found.url.startsWith("file:") ? fileURLToPath(found.url) : undefined;
      modules.set(target, { target, file: own });
    } else if (path !== undefined) {
      const { received, expected, hint } = found;
      problems.add(path, received, expected, { code: "PLUGIN_NOT_FOUND", hint });
    }
  };
  for (const [name, service] of services) add(known(service?.plugin), ["services", name, "plugin"]);
  const declared = Object.keys(Object(manifest?.sinks) as object);
  for (const type of sinksOf(manifest, services)) {
    // What is no module is another name's affair, and is told by the check.
    if (!types.includes(type) && (!declared.includes(type))) add(known(type));
  }
  for (const name of Object.keys(shorts)) add(name);
  problems.throwIfAny();
  return {
    manifest: file,
    text: isModule(file) ? undefined : readFileSync(file, "utf8"),
    modules: [...modules.values()],
    services: services.length,
    plugins: [...new Set(services.map(([, service]) => known(service?.plugin)))],
  };
}

/** The folder that paths of a manifest start at. */
export function homeOf({ manifest }: Inside): string {
  return dirname(manifest);
}

/** A manifest as nobody has checked it yet. */
interface Loose {
  readonly plugins?: unknown;
  readonly services?: unknown;
  readonly sinks?: unknown;
  readonly defaults?: { readonly log?: unknown };
  readonly plugin?: unknown;
  readonly log?: unknown;
}

/** The types and names of all sinks. */
function sinksOf(manifest: Loose, services: readonly (readonly [string, Loose])[]): string[] {
  const logs = [manifest?.defaults?.log, ...services.map(([, service]) => service?.log)].flat();
  const all = [...Object.values(Object(manifest?.sinks) as object), ...logs];
  return all.map((sink) =>
    typeof sink === "string" ? sink : (Object(sink) as { type?: unknown }).type
  )
    .filter((type) => typeof type === "string");
}

/** For messages: `echo, ./shout.ts`. */
export function namesOf(names: readonly string[]): string {
  return names.map((name) => /^[\w./@-]+$/.test(name) ? name : show(name)).join(", ");
}
