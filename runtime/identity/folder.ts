/** The working directory of this process, which may be removed while it runs. */
import { existsSync, readlinkSync } from "node:fs";
import process from "node:process";

/**
 * Goes to another folder when the working directory is no more: without one, no thread, no process and no
 * relative path can be had. As long as it is there it stays: names that peers give their datagram sockets,
 * and what plugins open, are relative to where the server was started.
 *
 * @param home absolute. Where that is gone too, it is `/`.
 */
export function keepWorkingDirectory(home: string): void {
  if (isThere()) return;
  for (const folder of [home, "/"]) {
    try {
      return process.chdir(folder);
    } catch {
      // The next one.
    }
  }
}

/** Runtimes remember where they are; the kernel says `/gone (deleted)`. */
function isThere(): boolean {
  try {
    return existsSync(readlinkSync("/proc/self/cwd"));
  } catch {
    return existsSync(".");
  }
}
