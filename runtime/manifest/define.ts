import type { StandardSchema } from "../core/plugin.ts";
import type { Manifest, ManifestService, PluginObject } from "./manifest.ts";

/** A manifest by the plugins of its services: what a service's `options` may be is its plugin's to say. */
export type ManifestOf<Plugins> = Omit<Manifest, "services"> & {
  services: { [Name in keyof Plugins]: ServiceOf<Plugins[Name]> };
};

/** A service with this plugin: its name, of which nothing is known, or the plugin itself; or with `match`. */
export type ServiceOf<Plugin> =
  & { plugin?: (Plugin & ManifestService["plugin"]) | undefined }
  & Omit<ManifestService, "plugin" | "options">
  & OptionsOf<Plugin>;

/** The options that its schema takes; none may be said where it has no schema. */
type OptionsOf<Plugin> = Plugin extends
  { readonly options?: StandardSchema<infer Output, infer Input> }
  ? unknown extends Input
    ? [Output] extends [Record<string, never>] ? { options?: Record<string, never> | undefined }
    : { options?: unknown }
  : Record<never, never> extends Input ? { options?: Input | undefined }
  : { options: Input }
  : { options?: unknown };

/** Returns its argument: for the types of a `portico.ts`, and of the options of plugins in it. */
export function defineManifest<Plugins extends Record<string, string | PluginObject>>(
  manifest: ManifestOf<Plugins>,
): Manifest {
  return manifest as Manifest;
}
