/** How deep a manifest may be: what reads it, and what reads its options, goes down by recursion. */
import { visit } from "jsonc-parser";
import { isPlain } from "./environment.ts";
import type { Path } from "../values/problem.ts";

/** Levels of objects and lists. */
export const DEPTH_MAX = 100;
export const DEPTH_EXPECTED = `at most ${DEPTH_MAX} levels of objects and lists in each other`;

/** The offset at which a text of JSON goes deeper than that. */
export function offsetTooDeep(text: string): number | undefined {
  let depth = 0;
  let found: number | undefined;
  const begin = (offset: number): void => {
    if (++depth <= DEPTH_MAX) return;
    found = offset;
    throw new RangeError();
  };
  const end = (): void => void depth--;
  const visitor = { onObjectBegin: begin, onArrayBegin: begin, onObjectEnd: end, onArrayEnd: end };
  try {
    visit(text, visitor);
  } catch (error) {
    if (found === undefined) throw error;
  }
  return found;
}

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
