import { readFileSync, statSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, isAbsolute, join } from "node:path";
import { conditions } from "./import.ts";

/** What is read of a package.json. */
interface PackageJson {
  readonly name?: string;
  readonly version?: string;
  readonly keywords?: unknown;
  readonly exports?: unknown;
  readonly portico?: { readonly api?: unknown };
}

const SPECIFIER = /^((?:@[^/\\]+\/)?[^@/\\.][^/\\]*)(\/.+)?$/;

/**
 * Finds the module of a package, from the folder of `file` upwards through node_modules.
 *
 * `require.resolve` alone is not enough: it takes the `require` condition of a package that has both,
 * and fails where there is only `import`. So `exports` is read here, and what has none is left to it.
 *
 * @returns the module's path, or undefined: no such package, or one that does not export it.
 */
export function resolvePackage(specifier: string, file: string): string | undefined {
  const [, name, rest = ""] = SPECIFIER.exec(specifier) ?? [];
  if (name === undefined) return undefined;
  for (let folder = dirname(file);; folder = dirname(folder)) {
    const home = join(folder, "node_modules", name);
    const json = readPackage(join(home, "package.json"));
    if (json?.exports !== undefined) {
      const target = resolveExports(json.exports, `.${rest}`, conditions());
      return target === undefined ? undefined : join(home, target);
    }
    if (json !== undefined || dirname(folder) === folder) break;
  }
  try {
    const path = createRequire(file).resolve(specifier);
    // The name of a module of the runtime, as fs, resolves to itself.
    return isAbsolute(path) ? path : undefined;
  } catch {
    return undefined;
  }
}

/** Follows `exports` of a package.json to a path like `./index.js`; https://nodejs.org/api/packages.html. */
export function resolveExports(
  exports: unknown,
  subpath: string,
  known: ReadonlySet<string>,
): string | undefined {
  const table = exports as Record<string, unknown>;
  const hasSubpaths = typeof exports === "object" && exports !== null && !Array.isArray(exports) &&
    Object.keys(exports).some((key) => key.startsWith("."));
  if (!hasSubpaths) return subpath === "." ? pick(exports, "", known) : undefined;
  if (Object.hasOwn(table, subpath)) return pick(table[subpath], "", known);
  // Patterns, the longest prefix first.
  const patterns = Object.keys(table).filter((key) => key.includes("*"));
  for (const key of patterns.toSorted((a, b) => b.indexOf("*") - a.indexOf("*"))) {
    const [before = "", after = ""] = key.split("*");
    if (
      subpath.startsWith(before) && subpath.endsWith(after) && subpath.length > key.length - 1
    ) {
      return pick(table[key], subpath.slice(before.length, subpath.length - after.length), known);
    }
  }
  return undefined;
}

function pick(target: unknown, star: string, known: ReadonlySet<string>): string | undefined {
  if (typeof target === "string") return target.replaceAll("*", star);
  if (typeof target !== "object" || target === null) return undefined;
  for (const [condition, inner] of Object.entries(target)) {
    if (!Array.isArray(target) && !known.has(condition)) continue;
    const found = pick(inner, star, known);
    if (found !== undefined) return found;
  }
  return undefined;
}

/** The package.json that a module below node_modules belongs to; undefined for modules elsewhere. */
export function packageOf(file: string): { path: string; json: PackageJson } | undefined {
  if (!/[\\/]node_modules[\\/]/.test(file)) return undefined;
  for (let folder = dirname(file); dirname(folder) !== folder; folder = dirname(folder)) {
    const path = join(folder, "package.json");
    const json = readPackage(path);
    if (json !== undefined) return { path, json };
  }
  return undefined;
}

function readPackage(path: string): PackageJson | undefined {
  if (!statSync(path, { throwIfNoEntry: false })?.isFile()) return undefined;
  try {
    return JSON.parse(readFileSync(path, "utf8"));
  } catch {
    return undefined;
  }
}
