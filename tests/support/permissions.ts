/** What this user may do here, and other users. */
import { realpathSync, statSync } from "node:fs";
import { dirname } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { MAIN } from "./command.ts";

/** Why nobody else can be become here; false when that can be. */
export const lackingRoot: string | false = process.getuid?.() !== 0 &&
  "only root can become another user";

/** The folder or file on the way to a file that others may not go through or read; undefined when they may. */
function closedPart(file: string): string | undefined {
  if ((statSync(file).mode & 0o004) === 0) return file;
  for (let path = dirname(file);; path = dirname(path)) {
    if ((statSync(path).mode & 0o001) === 0) return path;
    if (path === dirname(path)) return undefined;
  }
}

/**
 * Why nothing of Portico can be run here as another user; false when it can. In a clone below a folder that
 * is this user's alone, nobody else can read it.
 */
export function lackingOtherUsers(): string | false {
  if (lackingRoot !== false) return lackingRoot;
  const valibot = new URL("../../node_modules/valibot/package.json", import.meta.url);
  for (const file of [MAIN, fileURLToPath(valibot.href), process.execPath]) {
    const closed = closedPart(realpathSync(file));
    if (closed !== undefined) return `other users may not read what is in ${closed}`;
  }
  return false;
}
