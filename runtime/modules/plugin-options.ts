import { messageOf, PorticoError } from "../core/errors.ts";
import { placeOf } from "../core/frames.ts";
import type { Plugin } from "../core/plugin.ts";

/** What checking options comes to: the completed options, or what is wrong, by path below them. */
export type OptionsCheck =
  | { readonly options: unknown }
  | { readonly issues: readonly { path: (string | number)[]; message: string }[] };

/** The places that a check refuses. */
export function wrongOptions(check: OptionsCheck): readonly (readonly (string | number)[])[] {
  return "issues" in check ? check.issues.map(({ path }) => path) : [];
}

/**
 * Checks the manifest's options by the plugin's own schema.
 *
 * @throws PorticoError PLUGIN_INVALID when the schema itself fails.
 */
export async function checkOptions(
  plugin: Pick<Plugin, "name" | "options">,
  options: unknown,
): Promise<OptionsCheck> {
  if (plugin.options === undefined) {
    const keys = Object.keys(Object(options) as object);
    if (keys.length === 0) return { options };
    return { issues: [{ path: [], message: `no options: the plugin ${plugin.name} takes none` }] };
  }
  try {
    const result = await plugin.options["~standard"].validate(options);
    if (result.issues === undefined) return { options: result.value };
    return {
      issues: result.issues.map(({ message, path = [] }) => ({
        path: path.map((part) => {
          const key = typeof part === "object" ? part.key : part;
          return typeof key === "number" ? key : String(key);
        }),
        message,
      })),
    };
  } catch (error) {
    throw new PorticoError(
      "PLUGIN_INVALID",
      `a plugin whose options schema works; it threw: ${messageOf(error)}`,
      { cause: error, at: placeOf(error) },
    );
  }
}
