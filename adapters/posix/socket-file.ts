/**
 * The file of a Unix socket: telling a stale one from a live one, its permissions, and removing it
 * only when it is still ours. The runtimes remove what is at the path when they close, even if it
 * is another one's by then, and none of them takes over a stale file.
 *
 * {@link claimPath} keeps them from it for stream sockets: a socket bound to a name beside the path and
 * linked to the path afterwards appears there at once and with its permissions, and what the runtime
 * removes at the end is the name that is gone already. The price: getsockname(2), and with it `ss`,
 * go on showing that name. A datagram socket cannot do it, as its peers answer to that name.
 */
import { chmodSync, linkSync, lstatSync, renameSync, unlinkSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import process from "node:process";
import { setTimeout } from "node:timers/promises";
import type { Inherited, SocketFileId } from "../../runtime/core/descriptors.ts";
import type { UnixEndpoint } from "../../runtime/core/endpoint.ts";
import { UNIX_PATH_MAX } from "../../runtime/core/endpoint.ts";
import { PorticoError } from "../../runtime/core/errors.ts";
import { bindFailure } from "../errno.ts";
import { lockPath } from "./path-lock.ts";
import { probeSocket } from "./probe-socket.ts";

/** A socket file that this process has made. */
export interface SocketFile {
  /** Removes it, if it is still the one that was made. May be called twice. */
  release(): void;
}

const NOTHING: SocketFile = { release() {} };

/**
 * Runs a call of bind(2) so that the file which it makes has these permissions from the start: nobody
 * else can connect to it, not even before {@link ownFile}. The mask is the whole process's, so `bind` has
 * to make the file before it returns; what other threads make in that moment is private, too.
 *
 * @param mode as chmod(2) takes it; the process's umask decides when undefined.
 */
export function withFileMode<Value>(mode: number | undefined, bind: () => Value): Value {
  if (mode === undefined) return bind();
  const before = process.umask(0o777 & ~mode);
  try {
    return bind();
  } finally {
    process.umask(before);
  }
}

/** `@name`, which has no file. */
function isAbstract(path: string): boolean {
  return path.startsWith("@");
}

/** The path of an endpoint on its way to have a socket. Nobody else of Portico claims it meanwhile. */
export interface ClaimedPath extends SocketFile {
  /** What to bind: a name beside the path; the path itself for datagrams, for a name without a file, and where there is no room for another. */
  readonly path: string;
  /**
   * Lets the socket, which listens by now, be at its path, with these permissions. The claim is over.
   *
   * @param mode as chmod(2) takes it; the process's umask decides when undefined.
   * @throws PorticoError EADDRINUSE when somebody else has come first.
   */
  publish(mode?: number): void;
  /** Ends the claim; removes the file, if it is still the one that was made. May be called twice. */
  release(): void;
}

/**
 * Makes the path of an endpoint free to be bound: removes a socket file that nobody has open.
 *
 * @param kind of the socket.
 * @throws PorticoError ENAMETOOLONG; ENOENT without its folder; EADDRINUSE when a live socket, or a file that
 * is none, is there; EACCES when a stale one may not be removed.
 */
export async function claimPath(
  endpoint: UnixEndpoint,
  kind: "stream" | "datagram",
): Promise<ClaimedPath> {
  const { transport, path } = endpoint;
  const size = new TextEncoder().encode(path).length;
  if (size > UNIX_PATH_MAX) {
    throw new PorticoError(
      "ENAMETOOLONG",
      `the path of ${transport}:${path} has ${size} bytes; at most ${UNIX_PATH_MAX} are possible`,
    );
  }
  if (isAbstract(path)) return { path, publish() {}, release() {} };
  // libuv says EACCES where the kernel says this.
  const folder = dirname(path);
  if (lstatSync(folder, { throwIfNoEntry: false }) === undefined) {
    throw new PorticoError(
      "ENOENT",
      `cannot bind ${transport}:${path}: there is no folder ${folder} (ENOENT)`,
    );
  }
  const unlock = await lockPath(path);
  try {
    await removeStale(endpoint);
  } catch (error) {
    unlock();
    throw error;
  }
  return kind === "stream" ? staged(endpoint, unlock) : direct(path, unlock);
}

async function removeStale(endpoint: UnixEndpoint): Promise<void> {
  const { path } = endpoint;
  const found = lstatSync(path, { throwIfNoEntry: false });
  if (found === undefined) return;
  if (!found.isSocket()) throw refusal("EADDRINUSE", endpoint, "a file that is no socket is there");
  const liveness = await probeSocket(path);
  if (liveness === "live") throw refusal("EADDRINUSE", endpoint, LISTENS);
  if (liveness === "hidden") {
    const why =
      `a socket of user ${found.uid} is there, and this user may not connect to it to see whether anybody listens: stop who does, or remove the file`;
    throw refusal("EADDRINUSE", endpoint, why);
  }
  try {
    unlinkSync(path);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ENOENT") return;
    if (code !== "EPERM" && code !== "EACCES") throw bindFailure(endpoint, error);
    const why =
      `a stale socket of user ${found.uid} is there, which this user may not remove: nobody listens on it`;
    throw refusal("EACCES", endpoint, why);
  }
}

const LISTENS = "another process listens there";

function refusal(
  code: "EADDRINUSE" | "EACCES",
  { transport, path }: UnixEndpoint,
  why: string,
): PorticoError {
  return new PorticoError(code, `cannot bind ${transport}:${path}: ${why} (${code})`);
}

/** Device and number of a socket file; undefined for what is none. */
function inode(path: string): string | undefined {
  const found = lstatSync(path, { throwIfNoEntry: false });
  return found?.isSocket() ? `${found.dev}:${found.ino}` : undefined;
}

/**
 * Takes possession of a socket file that has just been made at `path`. Its number is nobody else's as
 * long as the socket is open: the file is to be released before.
 */
function ownFile(path: string): SocketFile {
  // The working directory may be another one by then.
  const absolute = resolve(path);
  const made = inode(absolute);
  let released = made === undefined;
  return {
    release() {
      if (released) return;
      released = true;
      try {
        if (inode(absolute) === made) unlinkSync(absolute);
      } catch {
        // The folder is gone, or no longer ours to write to: nothing is left to do.
      }
    },
  };
}

/** The file of a socket that somebody else made: ours to remove where it is said so. */
export function inheritedFile({ address: { path }, owned }: Inherited): SocketFile {
  return owned && path !== "" && !isAbstract(path) ? ownFile(path) : NOTHING;
}

/** How long a process that was killed may take to close its sockets, in ms. */
const DYING = 500;

/** See {@link Descriptors.removeFile}. */
export async function removeOrphan(file: SocketFileId): Promise<void> {
  for (let waited = 0; waited <= DYING; waited += 25) {
    if (await removeUnused(file)) return;
    await setTimeout(25);
  }
}

/** Whether the file is no concern any more; false while somebody listens on it. */
async function removeUnused({ path, dev, ino, open }: SocketFileId): Promise<boolean> {
  let unlock: (() => void) | undefined;
  try {
    unlock = await lockPath(path);
    if (inode(path) !== `${dev}:${ino}`) return true;
    if (!open && await probeSocket(path) !== "stale") return false;
    unlinkSync(path);
  } catch {
    // It is gone already, with its folder or without.
  } finally {
    unlock?.();
  }
  return true;
}

/** A socket that is bound to the path itself. */
function direct(path: string, unlock: () => void): ClaimedPath {
  let file = NOTHING;
  return {
    path,
    publish(mode) {
      file = ownFile(path);
      if (mode !== undefined) chmodSync(path, mode);
      unlock();
    },
    release() {
      unlock();
      file.release();
    },
  };
}

let counter = 0;

/** A stream socket that is bound beside its path. */
function staged(endpoint: UnixEndpoint, unlock: () => void): ClaimedPath {
  const { path } = endpoint;
  counter++;
  const suffix = (process.pid * 4096 + counter % 4096).toString(36);
  const beside = join(dirname(path), `.${suffix}`);
  const tooLong = new TextEncoder().encode(beside).length > UNIX_PATH_MAX;
  if (tooLong || basename(path) === `.${suffix}`) return direct(path, unlock);
  let file: SocketFile | undefined;
  return {
    path: beside,
    publish(mode) {
      if (mode !== undefined) chmodSync(beside, mode);
      try {
        move(beside, path);
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code === "EEXIST") {
          throw refusal("EADDRINUSE", endpoint, LISTENS);
        }
        throw bindFailure(endpoint, error);
      }
      file = ownFile(path);
      unlock();
    },
    release() {
      unlock();
      (file ?? ownFile(beside)).release();
    },
  };
}

/** link(2) fails where something is already, which rename(2) would replace; but not every file system has it. */
function move(from: string, to: string): void {
  try {
    linkSync(from, to);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code !== "EPERM" && code !== "ENOTSUP" && code !== "EOPNOTSUPP" && code !== "ENOSYS") {
      throw error;
    }
    renameSync(from, to);
    return;
  }
  unlinkSync(from);
}
