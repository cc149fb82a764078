/** What of a manifest has to be inside an executable: itself, and the modules that it names. */
import { readFileSync } from "node:fs";
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import { isModule, read } from "../manifest/load.ts";
import { namedModules } from "../manifest/named.ts";
import { BUILT_IN } from "../modules/resolve.ts";

/** A module that a manifest names. */
export interface InnerModule {
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
  readonly modules: readonly InnerModule[];
  /** How many services it has, and what their plugins are called. */
  readonly services: number;
  readonly plugins: readonly string[];
}

/** @throws ManifestError as `namedModules` does: variables are those of the machine where it will run. */
export async function insideOf(
  file: string,
  types: readonly string[],
  variables: Readonly<Record<string, string | undefined>>,
): Promise<Inside> {
  const { plugins, sinks, unused, services } = namedModules(await read(file), types, variables);
  const all = [...plugins, ...sinks, ...unused].filter(({ target }) => !BUILT_IN.includes(target));
  const modules = new Map(all.map(({ target, url }) => {
    const own = url.startsWith("file:") ? fileURLToPath(url) : undefined;
    return [target, { target, file: own }];
  }));
  return {
    manifest: file,
    text: isModule(file) ? undefined : readFileSync(file, "utf8"),
    modules: [...modules.values()],
    services,
    plugins: plugins.map(({ specifier }) => specifier),
  };
}

/** The folder that paths of a manifest start at. */
export function homeOf({ manifest }: Inside): string {
  return dirname(manifest);
}
