/** JSON Schemas of manifests with the options of plugins: of those that come along, or that a manifest names. */
import type { JsonSchema } from "@valibot/to-json-schema";
import type { StandardSchema } from "../core/plugin.ts";
import { loadPlugin } from "../modules/plugin.ts";
import { BUILT_IN, builtIn } from "../modules/resolve.ts";
import type { SinkCatalog } from "../values/sink-catalog.ts";
import { jsonSchema } from "./json-schema.ts";
import { namedModules } from "./named.ts";
import { optionsSchema } from "./options-schema.ts";
import type { Source } from "./source.ts";

/** A schema, as the text of a file, and whose options are not described in it. */
export interface DescribedManifest {
  readonly text: string;
  /** Plugins and sinks whose schema cannot be told in JSON Schema. */
  readonly unknown: readonly string[];
}

/** The schema of any manifest, with the plugins that come along. */
export async function shippedSchema(sinks: Pick<SinkCatalog, "schemas">): Promise<string> {
  const found = BUILT_IN.map((name) => [name, builtIn(name)] as const);
  const options = await Promise.all(found.map(async ([name, url]) => {
    const plugin = await loadPlugin({ specifier: name, url });
    return [name, optionsSchema(plugin.options)] as const;
  }));
  return await jsonSchema(sinks, { plugins: new Map(options), sinks: new Map() });
}

/**
 * The schema of one manifest: with the plugins and sinks that it names, beside those that come along.
 *
 * @throws ManifestError, PorticoError as `namedModules` and `loadPlugin` do.
 */
export async function schemaOf(
  source: Source,
  catalog: Pick<SinkCatalog, "schemas" | "load">,
  variables: Readonly<Record<string, string | undefined>>,
): Promise<DescribedManifest> {
  const types = Object.keys(catalog.schemas);
  const named = namedModules(source, types, variables);
  const names = new Map([
    ...BUILT_IN.map((name) => [name, builtIn(name)] as const),
    ...named.plugins.filter(({ app }) => app === undefined).map(({ specifier, url }) =>
      [specifier, url] as const
    ),
  ]);
  const plugins = await describe(names, (specifier, url) => loadPlugin({ specifier, url }));
  const sinks = await describe(
    named.sinks.map(({ specifier, url }) => [specifier, url] as const),
    (_, url) => catalog.load({ url, folder: "" }),
  );
  const unknown = [...plugins, ...sinks].filter(([, schema]) => schema === undefined);
  return {
    text: await jsonSchema(catalog, { plugins, sinks }),
    unknown: unknown.map(([name]) => name),
  };
}

/** By name, what its options look like. */
async function describe(
  modules: Iterable<readonly [string, string]>,
  load: (name: string, url: string) => Promise<{ readonly options?: StandardSchema }>,
): Promise<ReadonlyMap<string, JsonSchema | undefined>> {
  const all = [...modules].map(async ([name, url]) =>
    [name, optionsSchema((await load(name, url)).options)] as const
  );
  return new Map(await Promise.all(all));
}
