import { readFileSync, realpathSync, statSync } from "node:fs";
import { dirname, extname, relative } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { digest } from "../values/digest.ts";

/** What a module consists of. */
export interface Stamp {
  /** The same as long as none of the files has changed, appeared or gone; also at another place. */
  readonly stamp: string;
  /** Absolute, the entry first, by the path that was given; also those that are imported and not there. */
  readonly files: readonly string[];
}

const MODULE = /^\.[cm]?[jt]sx?$/;

/** Where an import without a file of exactly its name may lead, on runtimes that guess. */
const GUESSES = [
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

/** The specifiers of relative imports: static ones, and `import("./x.ts")` or `require` with the name itself. */
const IMPORTS: readonly RegExp[] = [
  /\b(?:import|export)\b[^;"'`()]*?\bfrom\s*(["'])(\.\.?\/[^"'\n]+)\1/g,
  /\bimport\s*(["'])(\.\.?\/[^"'\n]+)\1/g,
  /\b(?:import|require)\s*\(\s*(["'`])(\.\.?\/[^"'`$\n]+)\1/g,
];

/**
 * Tells whether a module has changed, and which files to watch for it: its own, and what it imports
 * by relative names, as far as they lead. Packages and `npm:`, `jsr:`, `https:` modules count by
 * their names alone; that a comment may seem to import something does no harm.
 *
 * @param url of the entry. One that is no file: URL is its own stamp, without files.
 */
export function stampOf(url: string): Stamp {
  if (!url.startsWith("file:")) return { stamp: url, files: [] };
  const files = new Map<string, string>();
  const entry = entryOf(url);
  const waiting = [entry];
  for (let file = waiting.pop(); file !== undefined; file = waiting.pop()) {
    if (files.has(file)) continue;
    const text = read(file);
    files.set(file, text === undefined ? "none" : digest(text));
    // As runtimes do, from where a link leads.
    if (text !== undefined && MODULE.test(extname(file))) {
      waiting.push(...importsOf(text, realOf(file)));
    }
  }
  // Where all of them lie is no difference.
  const home = dirname(realOf(entry));
  const lines = [...files].map(([file, content]) =>
    `${file === entry ? "" : relative(home, file)} ${content}`
  );
  return { stamp: digest(lines.toSorted().join("\n")), files: [...files.keys()] };
}

/** Where links lead; the path itself while that is nowhere. */
export function realOf(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    return path;
  }
}

function entryOf(url: string): string {
  const { href } = new URL(url);
  return fileURLToPath(href.replace(/[?#].*$/s, ""));
}

function importsOf(text: string, file: string): string[] {
  const base = pathToFileURL(file).href;
  return IMPORTS.flatMap((pattern) => [...text.matchAll(pattern)]).flatMap(([, , specifier]) => {
    try {
      return [guess(entryOf(new URL(specifier!, base).href))];
    } catch {
      // No name of a file, as with an escaped slash: the runtime will say so.
      return [];
    }
  });
}

function guess(path: string): string {
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
