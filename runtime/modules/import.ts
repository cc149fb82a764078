import { createRequire } from "node:module";
import process from "node:process";
import { fileURLToPath, pathToFileURL } from "node:url";
import { embeddedModule } from "./embedded.ts";
import { importableUrl } from "./link.ts";
import { isCommonJs, isNamespace, withVersion } from "./anew.ts";
import { messageOf } from "../core/errors.ts";
import type { ImportFailure } from "./failure.ts";
import { realOf } from "./graph.ts";
import { stampOf } from "./stamp.ts";

/** A module's namespace. */
type Namespace = Readonly<Record<string, unknown>>;

/** By URL: the version that was imported last. */
const imported = new Map<string, string | undefined>();

/**
 * Imports a module by URL; answers with its namespace, or why that failed. Never throws. What tsc and
 * esbuild make of an ES module for CommonJS has the default export that it had before.
 *
 * @param version makes it another module than the one of this URL that was imported before: what has
 * been changed since is read anew; so is what it imports, as far as `expectVersions` was told.
 */
export async function importModule(
  file: string,
  version?: string,
): Promise<{ readonly module: Namespace } | ImportFailure> {
  const inside = embeddedModule(file);
  if (inside !== undefined) return await importEmbedded(inside, file);
  const url = await importableUrl(realUrl(file));
  const required = imported.has(url) && imported.get(url) !== version && forget(url);
  imported.set(url, version);
  try {
    if (required) return { module: requireModule(url) };
    return { module: unwrapped(await import(withVersion(url, version))) };
  } catch (error) {
    if (required || !lacksCommonJs(error)) return await explained(error, url);
  }
  try {
    return { module: requireModule(url) };
  } catch (error) {
    return await explained(error, url);
  }
}

/** Why, in words. They are read when they are needed, which may be when nothing can be read any more. */
async function explained(error: unknown, url: string): Promise<ImportFailure> {
  try {
    return (await import("./failure.ts")).explain(error, url);
  } catch {
    return { message: messageOf(error).split("\n")[0]!, cause: error };
  }
}

async function importEmbedded(
  load: () => Promise<Namespace>,
  url: string,
): Promise<{ readonly module: Namespace } | ImportFailure> {
  try {
    return { module: unwrapped(await load()) };
  } catch (error) {
    return await explained(error, url);
  }
}

/** Node remembers where a link has led, and goes on with what was there. */
export function realUrl(url: string): string {
  return url.startsWith("file:") ? pathToFileURL(realOf(fileURLToPath(url))).href : url;
}

/**
 * A query makes another ES module, on Node and Deno; CommonJS is known by its path, and on Bun all is.
 * ES modules that this one imports stay: `anew.ts` looks after them.
 *
 * @returns whether it was CommonJS. Node imports that once only: of what it requires, half is missing later.
 */
function forget(url: string): boolean {
  if (!url.startsWith("file:")) return false;
  const { cache } = createRequire(url);
  const [entry, ...rest] = stampOf(url).files;
  const required = isCommonJs(cache[entry!]);
  delete cache[entry!];
  for (const file of rest) if (isCommonJs(cache[file])) delete cache[file];
  return required;
}

function requireModule(url: string): Namespace {
  const exports: unknown = createRequire(url)(fileURLToPath(url));
  return isNamespace(exports) ? exports : unwrapped({ default: exports });
}

/** Deno takes a .js file for an ES module, also where its package.json says that it is CommonJS. */
function lacksCommonJs(error: unknown): boolean {
  return error instanceof ReferenceError &&
    /^(?:module|exports|require) is not defined/.test(error.message);
}

function unwrapped(module: Namespace): Namespace {
  const outer = module["default"] as { __esModule?: unknown; default?: unknown } | null | undefined;
  return outer?.__esModule === true && "default" in outer
    ? { ...module, default: outer.default }
    : module;
}

/** The version of a module that has changed since it was imported first; else undefined. */
export type VersionOf = (url: string) => string | undefined;

/** Whether a runtime has refused TypeScript below node_modules, as Node and Deno do. */
export function isTypeStrippingRefusal(error: unknown): boolean {
  return (error as { code?: unknown } | null)?.code ===
    "ERR_UNSUPPORTED_NODE_MODULES_TYPE_STRIPPING";
}

/** The conditions of package.json's `exports` that hold for an import on this runtime. */
export function conditions(): ReadonlySet<string> {
  const { bun, deno } = process.versions;
  const own = bun !== undefined ? ["bun"] : deno !== undefined ? ["deno"] : [];
  return new Set([...own, "node", "import", "module-sync", "default"]);
}
