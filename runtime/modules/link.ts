import { existsSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join, sep } from "node:path";
import process from "node:process";
import { fileURLToPath, pathToFileURL } from "node:url";

/** By what they lead to. */
const links = new Map<string, string>();
let home: string | undefined;
let needed: Promise<boolean> | undefined;

/**
 * The URL by which this runtime can import a file. One below a folder with a question mark in its name
 * goes by a link where all behind that is taken for a query, whatever it is written as (Bun): from the start, as a
 * path that was tried in vain is remembered. Links are there until the process ends.
 */
export async function importableUrl(url: string): Promise<string> {
  if (!url.startsWith("file:") || !url.includes("%3F")) return url;
  const path = fileURLToPath(url);
  const end = path.indexOf(sep, path.lastIndexOf("?"));
  if (end < 0 || !existsSync(path) || !await (needed ??= needsLinks())) return url;
  const target = path.slice(0, end);
  const name = `${links.size}-${basename(target).replaceAll("?", "_")}`;
  const link = links.get(target) ?? join(folder(), name);
  if (!links.has(target)) symlinkSync(target, link);
  links.set(target, link);
  return pathToFileURL(link + path.slice(target.length)).href;
}

async function needsLinks(): Promise<boolean> {
  const probe = join(folder(), "probe?.mjs");
  writeFileSync(probe, "");
  return await import(pathToFileURL(probe).href).then(() => false, () => true);
}

function folder(): string {
  if (home !== undefined) return home;
  const made = home = mkdtempSync(join(tmpdir(), "portico-modules-"));
  process.once("exit", () => rmSync(made, { recursive: true, force: true }));
  return made;
}
