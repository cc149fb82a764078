/**
 * A lock for the path of a Unix socket, so that of servers which start at the same moment only one looks
 * whether the file there is stale, removes it and binds. It is a socket with an abstract name, which
 * leaves nothing in any folder, whoever is killed: the kernel takes it back with the process. Servers in
 * other network namespaces do not see it; bind(2) and link(2), which replace nothing, still stand between
 * them.
 */
import { statSync } from "node:fs";
import { createServer } from "node:net";
import { basename, dirname } from "node:path";
import process from "node:process";
import { setTimeout } from "node:timers/promises";

/** How long to wait for it, in ms. A server has it for a few; whoever keeps it longer is none that starts. */
const PATIENCE = 3000;
const INTERVAL = 5;

/**
 * Waits for the lock of a path, whose folder is there.
 *
 * @returns what gives it back; may be called twice.
 */
export async function lockPath(path: string): Promise<() => void> {
  if (process.platform !== "linux") return () => {};
  const name = lockName(path);
  for (let waited = 0; waited < PATIENCE; waited += INTERVAL) {
    const unlock = await tryLock(name);
    if (unlock !== undefined) return unlock;
    await setTimeout(INTERVAL);
  }
  return () => {};
}

/** The same for every way to write the path. Where two paths have the same, one waits for the other in vain. */
function lockName(path: string): string {
  const { dev, ino } = statSync(dirname(path), { bigint: true });
  return `\0portico:${dev}:${ino}:${encodeURIComponent(basename(path)).slice(-48)}`;
}

/** Undefined while somebody has it. */
function tryLock(name: string): Promise<(() => void) | undefined> {
  const { promise, resolve } = Promise.withResolvers<(() => void) | undefined>();
  const server = createServer((peer) => peer.destroy());
  server.once("error", ({ code }: NodeJS.ErrnoException) => {
    // Where a lock is not to be had, for want of descriptors or of a permission, bind(2) will tell of it.
    resolve(code === "EADDRINUSE" ? undefined : () => {});
  });
  server.listen({ path: name, exclusive: true }, () => {
    let locked = true;
    resolve(() => {
      if (locked) server.close();
      locked = false;
    });
  });
  return promise;
}
