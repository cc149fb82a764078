import process from "node:process";
import { fileURLToPath } from "node:url";
import { stripVTControlCharacters } from "node:util";
import { messageOf } from "../core/errors.ts";

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

/**
 * Imports a module by URL; answers with its namespace, or why that failed. Never throws.
 *
 * @param version makes it another module than the one of this URL that was imported before: what has
 * been changed since is read anew. What it imports in turn is not.
 */
export async function importModule(
  url: string,
  version?: string,
): Promise<{ readonly module: Readonly<Record<string, unknown>> } | ImportFailure> {
  try {
    return { module: await import(version === undefined ? url : versioned(url, version)) };
  } catch (error) {
    return explain(error);
  }
}

/**
 * Bun answers a `file:` URL with a query from its cache, and reads a path with one anew; Node and Deno
 * take both. A path with one of these letters, or with a drive, is no specifier.
 */
function versioned(url: string, version: string): string {
  const path = url.startsWith("file:") ? fileURLToPath(url) : "";
  return `${/^\/[^%?#]*$/.test(path) ? path : url}?v=${version}`;
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
