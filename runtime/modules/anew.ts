/** What a module imports is read anew with it, where it has changed. */
import { createRequire } from "node:module";
import * as nodeModule from "node:module";
import { fileURLToPath } from "node:url";
import { isOwn } from "../core/frames.ts";
import { fileOf, type ModuleGraph, realOf } from "./graph.ts";

/** By real path: the version that a file has to be read in; undefined for the one that it had first. */
export type Versions = ReadonlyMap<string, string | undefined>;

/** Of modules that were read anew, by path and version: the versions of what they import. */
const expected = new Map<string, Versions>();

/** By real path: the version that was wanted last; the first one where there is none. */
const wanted = new Map<string, string | undefined>();

interface ResolveContext {
  readonly parentURL?: string | undefined;
}
interface Resolved {
  readonly url: string;
}
type Resolve = (
  specifier: string,
  context: ResolveContext,
  next: (specifier: string, context?: ResolveContext) => Resolved,
) => Resolved;

/** Of Node and Deno. Where there is none, a module that is no longer in the cache is read anew (Bun). */
const { registerHooks } = nodeModule as {
  readonly registerHooks?: (hooks: { resolve: Resolve }) => unknown;
};

let hooked = false;

/**
 * Has the files of a graph imported in these versions from now on, by modules of the graph that are
 * imported anew. Modules of before go on with what they have.
 */
export function expectVersions(graph: ModuleGraph, versions: Versions): void {
  for (const [file, { imports }] of graph) {
    const path = realOf(file);
    const version = versions.get(path);
    if (version !== undefined) {
      const paths = imports.map(realOf);
      const own = new Map(paths.map((path) => [path, versions.get(path)]));
      expected.set(key(path, version), own);
      if (registerHooks !== undefined && !hooked) {
        hooked = true;
        registerHooks({ resolve });
      }
    }
    if (registerHooks === undefined && wanted.get(path) !== version) {
      forgetModule(path);
    }
    wanted.set(path, version);
  }
}

/** Whether a file is read anew when it has changed: packages and Portico itself stay as they are. */
export function isReadAnew(graph: ModuleGraph, file: string): boolean {
  return graph.get(file)?.isPackage !== true && !isOwn(realOf(file));
}

const resolve: Resolve = (specifier, context, next) => {
  const resolved = next(specifier, context);
  const parent = context.parentURL;
  const version = parent === undefined ? undefined : versionIn(parent);
  if (version === undefined || !resolved.url.startsWith("file:")) return resolved;
  const child = expected.get(key(realOf(fileURLToPath(parent!)), version))
    ?.get(realOf(fileOf(resolved.url)));
  return child === undefined ? resolved : { ...resolved, url: withVersion(resolved.url, child) };
};

/** The URL of a module in a version. */
export function withVersion(url: string, version: string | undefined): string {
  if (version === undefined) return url;
  return `${url}${url.includes("?") ? "&" : "?"}v=${version}`;
}

function versionIn(url: string): string | undefined {
  return /[?&]v=([0-9a-f]+)$/.exec(url)?.[1];
}

function key(path: string, version: string): string {
  return `${path}?${version}`;
}

/** CommonJS is forgotten where it is imported: that has to know whether it was. */
function forgetModule(path: string): void {
  const { cache } = createRequire(path);
  if (!isCommonJs(cache[path])) delete cache[path];
}

/** Whether what was required is no ES module. */
export function isCommonJs(module: { readonly exports: unknown } | undefined): boolean {
  return module !== undefined && !isNamespace(module.exports);
}

export function isNamespace(value: unknown): value is Readonly<Record<string, unknown>> {
  return (value as { [Symbol.toStringTag]?: unknown } | undefined)?.[Symbol.toStringTag] ===
    "Module";
}
