/** Whom a log file belongs to that is made by root, before the server becomes another user. */
import { closeSync, fchownSync, openSync, type Stats } from "node:fs";
import process from "node:process";

/** In the kernel's numbers. */
export interface FileOwner {
  readonly uid: number;
  readonly gid: number;
}

/** Whether this process can give files away, and has somebody to give them to. */
export function givesAway(owner: FileOwner | undefined): owner is FileOwner {
  return owner !== undefined && owner.uid !== 0 && process.getuid?.() === 0;
}

/**
 * Makes a file, which belongs to its owner from the start: at any other time this process may have become
 * somebody else. A file that is there, or a link that somebody has
 * put there, is given to nobody.
 *
 * @returns undefined when there is one already.
 * @throws what open(2) or fchown(2) say.
 */
export function make(path: string, mode: number, owner: FileOwner | undefined): number | undefined {
  let made: number;
  try {
    made = openSync(path, "ax", mode);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") return undefined;
    throw error;
  }
  try {
    if (givesAway(owner)) fchownSync(made, owner.uid, owner.gid);
    return made;
  } catch (error) {
    closeSync(made);
    throw error;
  }
}

/** Whether the owner can open a file to write to it, as far as the file itself goes. */
export function mayWrite({ uid, gid, mode }: Stats, owner: FileOwner): boolean {
  const bits = uid === owner.uid ? 0o200 : gid === owner.gid ? 0o020 : 0o002;
  return (mode & bits) !== 0;
}
