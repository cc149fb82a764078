/**
 * A lock for the path of a Unix socket, so that of servers which start at the same moment only one looks
 * whether the file there is stale, removes it and binds. It is a socket with an abstract name, which
 * leaves nothing in any folder, whoever is killed: the kernel takes it back with the process. Servers in
 * other network namespaces do not see it; bind(2) and link(2), which replace nothing, still stand between
 * them.
 */
import { statSync } from "node:fs";
import { basename, dirname } from "node:path";
import process from "node:process";
import { setTimeout } from "node:timers/promises";
import { codeOf } from "../../runtime/core/errors.ts";

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

/**
 * Undefined while somebody has it. It is a socket of the runtime's own: `node:net` costs Bun and Deno, which have
 * no other use for it, 3 to 4 ms and 1 to 3 MB.
 */
async function tryLock(name: string): Promise<(() => void) | undefined> {
  const hold = "Bun" in globalThis ? holdOnBun : "Deno" in globalThis ? holdOnDeno : holdOnNode;
  try {
    return await hold(name);
  } catch (error) {
    // Where a lock is not to be had, for want of descriptors or of a permission, bind(2) will tell of it.
    return codeOf(error) === "EADDRINUSE" ? undefined : () => {};
  }
}

function holdOnBun(name: string): () => void {
  const socket = { open: (peer: Bun.Socket) => void peer.terminate(), data() {} };
  const listener = Bun.listen({ unix: name, socket });
  return () => listener.stop(true);
}

function holdOnDeno(name: string): () => void {
  const listener = Deno.listen({ transport: "unix", path: name });
  let locked = true;
  return () => {
    if (locked) listener.close();
    locked = false;
  };
}

async function holdOnNode(name: string): Promise<() => void> {
  const { createServer } = process.getBuiltinModule("node:net");
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const server = createServer((peer) => peer.destroy());
  server.once("error", reject).listen({ path: name, exclusive: true }, resolve);
  await promise;
  let locked = true;
  return () => {
    if (locked) server.close();
    locked = false;
  };
}
