import { fileURLToPath } from "node:url";
import type { Endpoint } from "../core/endpoint.ts";
import { messageOf, PorticoError } from "../core/errors.ts";
import { placeOf } from "../core/frames.ts";
import type { ServicePlan } from "../core/plan.ts";
import { API, type Plugin } from "../core/plugin.ts";
import { appPlugin, isApp, nameOf } from "./app.ts";
import type { ImportFailure } from "./failure.ts";
import { apiHint, type Flaw, flawOf } from "./flaw.ts";
import { importModule, isTypeStrippingRefusal } from "./import.ts";
import { locate } from "./locate.ts";
import { objectAt } from "./object.ts";
import { packageOf } from "./package.ts";
import { show } from "../values/problem.ts";

/**
 * Imports a plugin and checks that it is one; what has a `fetch` is made one. Its options are checked by
 * `checkOptions`.
 *
 * @param version of code that has changed since it was imported first; see {@link importModule}.
 * @throws PorticoError PLUGIN_NOT_FOUND when it cannot be fetched, PLUGIN_INVALID when it cannot be
 * read or its default export is no plugin of this API.
 */
export async function loadPlugin(
  place: ServicePlan["plugin"],
  version?: string,
): Promise<Plugin> {
  const { value } = await loadDefault(place.url, flawIn, version);
  if (!isApp(value)) return value as Plugin;
  return appPlugin(value, objectAt(place.url) === undefined ? nameOf(place.url) : place.specifier);
}

/**
 * Imports a module for its default export, or finds the object that stands in its place.
 *
 * @param flaw says what is wrong with that; undefined when nothing is.
 * @returns it in an object: a router that has a function of every name is not to be waited for.
 * @throws PorticoError as {@link loadPlugin}.
 */
export async function loadDefault(
  url: string,
  flaw: FlawOf,
  version?: string,
): Promise<{ readonly value: unknown }> {
  const object = objectAt(url);
  if (object !== undefined) return checked(object, flaw, url);
  if (url.startsWith("file:")) checkPackage(fileURLToPath(url));
  const result = await importModule(url, version);
  if (!("module" in result)) throw unreadable(url, result);
  return checked(result.module["default"], flaw, url, result.module);
}

type FlawOf = (
  value: unknown,
  module: Readonly<Record<string, unknown>>,
) => Flaw | undefined;

function checked(
  value: unknown,
  flaw: FlawOf,
  url: string,
  module: Readonly<Record<string, unknown>> = {},
): { readonly value: unknown } {
  const wrong = flaw(value, module);
  if (wrong === undefined) return { value };
  const { expected, hint, word } = wrong;
  const at = word === undefined ? undefined : locate(url, word);
  throw new PorticoError("PLUGIN_INVALID", expected, { hint, at });
}

/** A package may say which API it was written for; one that says nothing is taken at its export's word. */
function checkPackage(file: string): void {
  const found = packageOf(file);
  const api = found?.json.portico?.api;
  if (api === undefined || api === API) return;
  throw new PorticoError(
    "PLUGIN_INVALID",
    `"portico": { "api": ${API} } in ${found!.path}; it says ${show(api)}`,
    { hint: apiHint(api) },
  );
}

function unreadable(url: string, failure: ImportFailure): PorticoError {
  const { message, at, hint, cause } = failure;
  const scheme = /^(?:npm|jsr|https):/.exec(url)?.[0];
  if (scheme !== undefined) {
    return new PorticoError(
      "PLUGIN_NOT_FOUND",
      `a module that this runtime can fetch (${scheme} works on Deno; elsewhere install the package and name it): ${message}`,
      { cause },
    );
  }
  if (isTypeStrippingRefusal(cause)) {
    return new PorticoError(
      "PLUGIN_INVALID",
      "JavaScript: this runtime reads no TypeScript below node_modules. Its author has to publish it compiled",
      { cause },
    );
  }
  const place = at === undefined ? "" : ` at ${at}`;
  return new PorticoError(
    "PLUGIN_INVALID",
    `a module that can be imported. It failed${place}: ${message}`,
    { cause, at, hint },
  );
}

const flawIn: FlawOf = (value, module) => isApp(value) ? undefined : flawOf(value, module);

/**
 * Why options cannot go with endpoints, as the plugin says; undefined when they can.
 *
 * @throws PorticoError PLUGIN_INVALID when the plugin's own check fails.
 */
export function misfit(
  plugin: Pick<Plugin, "fits">,
  options: unknown,
  listen: readonly Endpoint[],
): string | undefined {
  let why: unknown;
  try {
    why = plugin.fits?.(options, listen);
  } catch (error) {
    const text = `a plugin whose "fits" works; it threw: ${messageOf(error)}`;
    throw new PorticoError("PLUGIN_INVALID", text, { cause: error, at: placeOf(error) });
  }
  if (why === undefined || typeof why === "string") return why;
  const text = `a plugin whose "fits" returns a text, or undefined; it returned ${show(why)}`;
  throw new PorticoError("PLUGIN_INVALID", text);
}
