/** Modules that tell peers apart, and what stands in the place of a plugin where that is done. */
import { codeOf, PorticoError } from "../core/errors.ts";
import type { ServicePlan } from "../core/plan.ts";
import type { Plugin } from "../core/plugin.ts";
import type { Matcher } from "../core/prologue/match.ts";
import type { VersionOf } from "../modules/import.ts";
import { loadDefault } from "../modules/plugin.ts";
import { type Path, show } from "../values/problem.ts";
import type { Problems } from "./source.ts";

/** Nobody is served by it: `matching/` hands its peers on before. */
export const MATCH_PLUGIN: Plugin = {
  name: "match",
  transports: ["stream"],
  start: () => ({ data() {} }),
};

/** Imports the matchers of a service, and tells of what cannot be had. */
export async function loadMatchers(
  { name, match }: ServicePlan,
  problems: Problems,
  versionOf: VersionOf,
): Promise<ReadonlyMap<string, Matcher>> {
  const found = new Map<string, Matcher>();
  for (const [index, { when }] of match!.routes.entries()) {
    if (when.kind !== "plugin") continue;
    try {
      found.set(when.url, await loadMatcher(when.url, versionOf(when.url)));
    } catch (error) {
      if (!(error instanceof PorticoError)) throw error;
      const { hint, at } = error;
      const place = placeOf(problems, name, index);
      problems.add(place, show(when.specifier), error.message, { code: codeOf(error)!, hint, at });
    }
  }
  return found;
}

/** Where a manifest names it: a list, or an object with one. */
function placeOf(problems: Problems, service: string, index: number): Path {
  const { services } = Object(problems.source.value) as {
    services: Record<string, { match: unknown }>;
  };
  const list = Array.isArray(services[service]?.match) ? [] : ["routes"];
  return ["services", service, "match", ...list, index, "when", "plugin"];
}

async function loadMatcher(url: string, version: string | undefined): Promise<Matcher> {
  let match: unknown;
  await loadDefault(url, (_value, module) => {
    match = module["match"];
    if (typeof match === "function") return undefined;
    const expected = `a module that exports match(bytes); it ${
      match === undefined ? "exports none" : `exports ${show(match)}`
    }`;
    return { expected, hint: "export function match(bytes: Uint8Array): boolean | undefined" };
  }, version);
  return match as Matcher;
}
