import { createRequire } from "node:module";
import process from "node:process";
import { fileURLToPath, pathToFileURL } from "node:url";
import { stripVTControlCharacters } from "node:util";
import { messageOf } from "../core/errors.ts";
import { embeddedModule } from "./embedded.ts";
import { importableUrl } from "./link.ts";
import { realOf, stampOf } from "./stamp.ts";

/** Why a module could not be imported, in words that hold on every runtime. */
export interface ImportFailure {
  /** One line. */
  readonly message: string;
  /** Where, when the runtime says it: `/path/file.ts`, with line and column. */
  readonly file?: string;
  readonly line?: number;
  readonly column?: number;
  readonly cause: unknown;
}

/** A module's namespace. */
type Namespace = Readonly<Record<string, unknown>>;

/** By URL: the version that was imported last. */
const imported = new Map<string, string | undefined>();

/**
 * Imports a module by URL; answers with its namespace, or why that failed. Never throws. What tsc and
 * esbuild make of an ES module for CommonJS has the default export that it had before.
 *
 * @param version makes it another module than the one of this URL that was imported before: what has
 * been changed since is read anew. What it imports in turn is not, but for what it `require`s.
 */
export async function importModule(
  file: string,
  version?: string,
): Promise<{ readonly module: Namespace } | ImportFailure> {
  const inside = embeddedModule(file);
  if (inside !== undefined) return await importEmbedded(inside);
  const url = await importableUrl(realUrl(file));
  const required = imported.has(url) && imported.get(url) !== version && forget(url);
  imported.set(url, version);
  try {
    if (required) return { module: requireModule(url) };
    return { module: unwrapped(await import(version === undefined ? url : `${url}?v=${version}`)) };
  } catch (error) {
    if (required || !lacksCommonJs(error)) return explain(error);
  }
  try {
    return { module: requireModule(url) };
  } catch (error) {
    return explain(error);
  }
}

async function importEmbedded(
  load: () => Promise<Namespace>,
): Promise<{ readonly module: Namespace } | ImportFailure> {
  try {
    return { module: unwrapped(await load()) };
  } catch (error) {
    return explain(error);
  }
}

/** Node remembers where a link has led, and goes on with what was there. */
function realUrl(url: string): string {
  return url.startsWith("file:") ? pathToFileURL(realOf(fileURLToPath(url))).href : url;
}

/**
 * A query makes another ES module, on Node and Deno; CommonJS is known by its path, and on Bun all is.
 * ES modules that this one imports stay: they may be Portico's own.
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

/** Whether what was required is no ES module. */
function isCommonJs(module: { readonly exports: unknown } | undefined): boolean {
  return module !== undefined && !isNamespace(module.exports);
}

function requireModule(url: string): Namespace {
  const exports: unknown = createRequire(url)(fileURLToPath(url));
  return isNamespace(exports) ? exports : unwrapped({ default: exports });
}

function isNamespace(value: unknown): value is Namespace {
  return (value as { [Symbol.toStringTag]?: unknown } | undefined)?.[Symbol.toStringTag] ===
    "Module";
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

/**
 * Node puts `file:LINE` on top of the stack of a syntax error, Deno `at file:LINE:COLUMN` into the
 * message, in colours, and Bun has `position`, or several errors of which the first counts.
 */
function explain(error: unknown): ImportFailure {
  const inner = (error as { errors?: unknown[] } | null)?.errors;
  const first = Array.isArray(inner) && inner.length > 0 ? inner[0] : error;
  const message = stripVTControlCharacters(messageOf(first)).split("\n")[0]!.replace(
    /^\w*Error: /,
    "",
  );
  const position = (first as { position?: unknown } | null)?.position as
    | { file: string; line: number; column: number }
    | null
    | undefined;
  if (position) {
    const { file, line, column } = position;
    return { message, file, line, column, cause: error };
  }
  const stack = first instanceof Error ? `${first.message}\n${first.stack}` : "";
  return { message, ...frame(stripVTControlCharacters(stack)), cause: error };
}

const FRAME = /(file:\/\/\/[^\s()]+?|(?:\/|[A-Za-z]:\\)[^\s():]+):(\d+)(?::(\d+))?/g;

function frame(stack: string): { file: string; line: number; column?: number } | undefined {
  for (const [, place, line, column] of stack.matchAll(FRAME)) {
    const file = place!.startsWith("file:") ? fileURLToPath(place!) : place!;
    // Our own import() is the last frame of every such stack, and says nothing.
    if (file === fileURLToPath(import.meta.url)) return undefined;
    return { file, line: Number(line), ...(column !== undefined && { column: Number(column) }) };
  }
  return undefined;
}

/** The conditions of package.json's `exports` that hold for an import on this runtime. */
export function conditions(): ReadonlySet<string> {
  const { bun, deno } = process.versions;
  const own = bun !== undefined ? ["bun"] : deno !== undefined ? ["deno"] : [];
  return new Set([...own, "node", "import", "module-sync", "default"]);
}
