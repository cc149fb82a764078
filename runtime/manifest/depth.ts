/** How deep a manifest may be: what reads it, and what reads its options, goes down by recursion. */
import { isPlain } from "./environment.ts";
import type { Path } from "../values/problem.ts";

/** Levels of objects and lists. */
export const DEPTH_MAX = 100;
export const DEPTH_EXPECTED = `at most ${DEPTH_MAX} levels of objects and lists in each other`;

/** The path at which a value goes deeper than that, as one does that lies in itself. */
export function pathTooDeep(value: unknown, path: Path = []): Path | undefined {
  if (typeof value !== "object" || value === null) return undefined;
  // A module's manifest may hold instances, which are left as they are.
  if (!Array.isArray(value) && !isPlain(value)) return undefined;
  if (path.length >= DEPTH_MAX) return path;
  for (const [key, item] of Object.entries(value)) {
    const found = pathTooDeep(item, [...path, Array.isArray(value) ? Number(key) : key]);
    if (found !== undefined) return found;
  }
  return undefined;
}
