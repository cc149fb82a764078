import { mkdirSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { PorticoError, toPorticoError } from "../core/errors.ts";
import { renderRows, show } from "../values/problem.ts";

/** What an empty folder may have: a repository that was just made. */
const NOTHING: ReadonlySet<string> = new Set([".git"]);

/**
 * Writes files into a folder that is not there, or is empty.
 *
 * @param home absolute.
 * @param shown the same, as it was asked for.
 * @throws PorticoError USAGE where something is already; EACCES, ENOSPC … where it cannot be written: then nothing
 * of it is left.
 */
export function writeProject(
  home: string,
  shown: string,
  files: ReadonlyMap<string, string>,
): void {
  checkFree(home, shown);
  const made: string[] = [];
  try {
    for (const [path, text] of files) {
      const file = join(home, path);
      const first = mkdirSync(dirname(file), { recursive: true });
      if (first !== undefined) made.push(first);
      made.push(file);
      writeFileSync(file, text, { flag: "wx" });
    }
  } catch (error) {
    // A part of it would be in the way of the next attempt.
    for (const path of made) rmSync(path, { recursive: true, force: true });
    throw toPorticoError(error, "EACCES");
  }
}

/** @throws PorticoError USAGE where something is already. */
export function checkFree(home: string, shown: string): void {
  let there: string;
  try {
    const names = readdirSync(home).filter((name) => !NOTHING.has(name)).sort();
    if (names.length === 0) return;
    const more = names.length > 3 ? ` and ${names.length - 3} more` : "";
    there = `which has ${names.slice(0, 3).join(", ")}${more}`;
  } catch (error) {
    const { code } = error as { code?: unknown };
    if (code === "ENOENT") return;
    if (code !== "ENOTDIR") throw toPorticoError(error, "EACCES");
    there = "which is a file, or below one";
  }
  const rows = {
    received: `the folder ${show(shown)}, ${there}`,
    expected: "a folder that is not there yet, or is empty",
    hint: "--dir FOLDER makes it elsewhere",
  };
  throw new PorticoError("USAGE", renderRows(rows));
}
