/** A plugin as it should be, without the words for one that is not. */
import { API, type Plugin } from "../core/plugin.ts";
import { parseRate } from "../core/units.ts";

/** What a plugin's `transports` are out of. */
export const TRANSPORTS: readonly unknown[] = ["stream", "datagram", "http"];

/** The keys of a {@link Plugin}. */
export const KEYS: readonly string[] = Object.keys(
  {
    name: true,
    transports: true,
    options: true,
    fits: true,
    probe: true,
    keepsDatagrams: true,
    keepsChunks: true,
    takes: true,
    scope: true,
    datagramRate: true,
    api: true,
    start: true,
  } satisfies Record<keyof Plugin, true>,
);

/** What a plugin's `name` looks like. */
export const NAME = /^[\w-]+$/;

/** Whether there is nothing to say about a default export; what is not sure is no. */
function isSound(value: unknown): value is Plugin {
  if (typeof value !== "object" || value === null) return false;
  if (!Object.keys(value).every((key) => KEYS.includes(key))) return false;
  const { name, transports, start, api, options, scope, datagramRate, fits, probe } =
    value as Partial<Record<keyof Plugin, unknown>>;
  const optional = (hook: unknown): boolean => hook === undefined || typeof hook === "function";
  const rated = (rate: unknown): boolean =>
    rate === undefined || !Number.isNaN(parseRate(String(rate)).count);
  const standard = (options as Plugin["options"] | null)?.["~standard"];
  return (api === undefined || api === API) &&
    typeof name === "string" && NAME.test(name) &&
    Array.isArray(transports) && transports.length > 0 &&
    transports.every((transport) => TRANSPORTS.includes(transport)) &&
    typeof start === "function" && optional(fits) && optional(probe) &&
    (scope === undefined || scope === "service") && rated(datagramRate) &&
    (options === undefined || typeof standard?.validate === "function") &&
    !("then" in value) && !("fetch" in value);
}

/**
 * Imports a plugin in a process that has imported none before it, and that was started where all is well with
 * it: there is nothing to explain, and nothing is loaded for that.
 *
 * @param file its URL, links followed.
 * @returns undefined where it is otherwise: `loadPlugin` knows more, or says what is wrong.
 */
export async function importSound(file: string): Promise<Plugin | undefined> {
  // Of a question mark in a name Bun has its own idea.
  if (!file.startsWith("file:") || file.includes("%3F")) return undefined;
  try {
    const module = await import(file) as { readonly default?: unknown };
    return isSound(module.default) ? module.default : undefined;
  } catch {
    return undefined;
  }
}
