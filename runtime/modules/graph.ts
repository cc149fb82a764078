/** What a module imports, and these in turn, as the texts of their files tell. */
import { readFileSync, realpathSync, statSync } from "node:fs";
import { createRequire } from "node:module";
import { extname, isAbsolute } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { isOwn } from "../core/frames.ts";
import { digest } from "../values/digest.ts";
import { packageOf, resolvePackage } from "./package.ts";

/** One file of a graph. */
export interface GraphFile {
  /** The same as long as its content is; of a package what tells its versions apart. */
  readonly content: string;
  /** Absolute. */
  readonly imports: readonly string[];
  /** Its entry is all that is looked at of a package below node_modules, and of Portico itself. */
  readonly isPackage?: boolean;
}

/** Files by their absolute paths, the entry first, by the path that was given. */
export type ModuleGraph = ReadonlyMap<string, GraphFile>;

/** Whether a file is one of JavaScript or TypeScript, by its name. */
export function isModule(file: string): boolean {
  return /^\.[cm]?[jt]sx?$/.test(extname(file));
}

/** Where an import without a file of exactly its name may lead, on runtimes that guess. */
const GUESSES: readonly string[] = [
  "",
  ".ts",
  ".tsx",
  ".mts",
  ".js",
  ".mjs",
  ".cjs",
  ".json",
  "/index.ts",
  "/index.js",
  "/index.cjs",
];

/** The specifiers of imports: static ones, and `import("./x.ts")` or `require` with the name itself. */
const IMPORTS: readonly RegExp[] = [
  /\b(?:import|export)\b[^;"'`()]*?\bfrom\s*(["'])([^"'\s]+)\1/g,
  /\bimport\s*(["'])([^"'\s]+)\1/g,
  /\b(?:import|require)\s*\(\s*(["'`])([^"'`$\s]+)\1/g,
];

/**
 * Follows the imports of a module by relative names and by names of the package itself (`#lib/kv.ts`) as far
 * as they lead, and those of packages to their entries, or on where these lie beside it, as a workspace's do.
 * `npm:`, `jsr:`, `https:` and `node:` modules are left out; that a comment may seem to import something
 * does no harm. What is imported and not there is a file as well.
 *
 * @param url of the entry; one that is no file: URL has no graph.
 */
export function graphOf(url: string): ModuleGraph {
  const files = new Map<string, GraphFile>();
  if (!url.startsWith("file:")) return files;
  const packages = new Set<string>();
  const waiting = [fileOf(url)];
  for (let file = waiting.pop(); file !== undefined; file = waiting.pop()) {
    if (files.has(file)) continue;
    const whole = packages.has(file) || isOwn(realOf(file));
    const found = whole ? packageFile(file) : readModule(file, packages);
    files.set(file, found);
    waiting.push(...found.imports);
  }
  return files;
}

/** Where links lead; the path itself while that is nowhere. */
export function realOf(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    return path;
  }
}

/** The path of a file: URL, without what follows it. */
export function fileOf(url: string): string {
  return fileURLToPath(new URL(url).href.replace(/[?#].*$/s, ""));
}

function readModule(file: string, packages: Set<string>): GraphFile {
  const text = read(file);
  if (text === undefined) return { content: "none", imports: [] };
  const content = digest(text);
  if (!isModule(file)) return { content, imports: [] };
  // As runtimes do, from where a link leads.
  return { content, imports: importsOf(text, realOf(file), packages) };
}

/** A package is told by its version: a server has many of them, and they are large. */
function packageFile(file: string): GraphFile {
  const size = statSync(file, { throwIfNoEntry: false })?.size;
  const { version = "" } = Object(packageOf(realOf(file))?.json) as { version?: unknown };
  return { content: `${version}:${size ?? "none"}`, imports: [], isPackage: true };
}

/** The specifiers in the text of a module, with where they begin; those in its comments, too. */
export function specifiersIn(text: string): { specifier: string; offset: number }[] {
  const found = IMPORTS.flatMap((pattern) => [...text.matchAll(pattern)]);
  return found.map((match) => ({
    specifier: match[2]!,
    offset: match.index + match[0].lastIndexOf(match[2]!),
  }));
}

function importsOf(text: string, file: string, packages: Set<string>): string[] {
  return specifiersIn(text).flatMap(({ specifier }) => {
    try {
      if (/^\.\.?\//.test(specifier)) {
        return [guess(fileOf(new URL(specifier, pathToFileURL(file).href).href))];
      }
      const found = named(specifier, file);
      if (found === undefined) return [];
      if (/[\\/]node_modules[\\/]/.test(realOf(found))) packages.add(found);
      return [found];
    } catch {
      // No name of a file, as with an escaped slash: the runtime will say so.
      return [];
    }
  });
}

/** A module by the name of its package, or by a name of this one. Portico itself is not the plugin's. */
function named(specifier: string, file: string): string | undefined {
  if (/^[a-z]+:/i.test(specifier)) return undefined;
  const path = specifier.startsWith("#")
    ? createRequire(file).resolve(specifier)
    : resolvePackage(specifier, file);
  if (path === undefined || !isAbsolute(path) || isOwn(realOf(path))) return undefined;
  return path;
}

/** The file that an import without its extension may lead to; the path itself when there is none. */
export function guess(path: string): string {
  const found = GUESSES.find((ending) =>
    statSync(path + ending, { throwIfNoEntry: false })?.isFile()
  );
  return path + (found ?? "");
}

function read(file: string): string | undefined {
  try {
    // Byte by byte: two files that are no text differ all the same.
    return readFileSync(file, "latin1");
  } catch {
    return undefined;
  }
}
