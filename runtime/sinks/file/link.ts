import { lstatSync, readlinkSync } from "node:fs";
import { dirname, resolve } from "node:path";

/** How many links the kernel follows: path_resolution(7). */
const LINKS_MAX = 40;

/**
 * Where a path leads that is a symbolic link, though there may be nothing yet: the file that is meant is that
 * one, and what is put aside belongs beside it.
 */
export function follow(path: string): string {
  let at = path;
  for (let links = 0; links < LINKS_MAX; links++) {
    if (lstatSync(at, { throwIfNoEntry: false })?.isSymbolicLink() !== true) return at;
    at = resolve(dirname(at), readlinkSync(at));
  }
  return path;
}
