/**
 * The file of a Unix socket: telling a stale one from a live one, its permissions, and removing it
 * only when it is still ours. The runtimes remove what is at the path when they close, even if it
 * is another one's by then, and none of them takes over a stale file.
 *
 * {@link stageFile} keeps them from it for stream sockets: a socket bound to a name beside the path and
 * linked to the path afterwards appears there at once and with its permissions, and what the runtime
 * removes at the end is the name that is gone already. The price: getsockname(2), and with it `ss`,
 * go on showing that name. A datagram socket cannot do it, as its peers answer to that name.
 */
import { chmodSync, linkSync, lstatSync, readFileSync, renameSync, unlinkSync } from "node:fs";
import { connect } from "node:net";
import { basename, dirname, join } from "node:path";
import process from "node:process";
import type { Inherited } from "../../runtime/core/descriptors.ts";
import type { UnixEndpoint } from "../../runtime/core/endpoint.ts";
import { UNIX_PATH_MAX } from "../../runtime/core/endpoint.ts";
import { PorticoError } from "../../runtime/core/errors.ts";
import { bindFailure } from "../errno.ts";

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

/**
 * Makes the path of an endpoint free to be bound: removes a socket file that nobody listens on.
 *
 * @throws PorticoError ENAMETOOLONG; EADDRINUSE when a live socket, or a file that is none, is there.
 */
export async function claim(endpoint: UnixEndpoint): Promise<void> {
  const { path } = endpoint;
  const size = new TextEncoder().encode(path).length;
  if (size > UNIX_PATH_MAX) {
    throw new PorticoError(
      "ENAMETOOLONG",
      `the path of ${endpoint.transport}:${path} has ${size} bytes; at most ${UNIX_PATH_MAX} are possible`,
    );
  }
  if (isAbstract(path)) return;
  // libuv says EACCES where the kernel says this.
  const folder = dirname(path);
  if (lstatSync(folder, { throwIfNoEntry: false }) === undefined) {
    throw new PorticoError(
      "ENOENT",
      `cannot bind ${endpoint.transport}:${path}: there is no folder ${folder} (ENOENT)`,
    );
  }
  const before = inode(path);
  if (before === undefined) return;
  if (before === "file") throw inUse(endpoint, "a file that is no socket is there");
  if (await isLive(path)) throw inUse(endpoint, "another process listens there");
  // Somebody else may have taken it over in the meantime.
  const now = inode(path);
  if (now === undefined) return;
  if (now !== before) throw inUse(endpoint, "another process listens there");
  try {
    unlinkSync(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw bindFailure(endpoint, error);
  }
}

function inUse(endpoint: UnixEndpoint, why: string): PorticoError {
  const text = `cannot bind ${endpoint.transport}:${endpoint.path}: ${why} (EADDRINUSE)`;
  return new PorticoError("EADDRINUSE", text);
}

/** Device and number of a socket file, `file` for what is none, undefined for nothing. */
function inode(path: string): string | undefined {
  const found = lstatSync(path, { throwIfNoEntry: false });
  if (found === undefined) return undefined;
  return found.isSocket() ? `${found.dev}:${found.ino}` : "file";
}

/**
 * A stream connect tells for both kinds: it is refused (ECONNREFUSED) only when nobody has the file
 * open; a datagram socket answers EPROTOTYPE, a full queue EAGAIN, a foreign one EACCES.
 */
function isLive(path: string): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const socket = connect(path);
  socket.once("connect", () => {
    socket.destroy();
    resolve(true);
  });
  socket.once("error", (error: NodeJS.ErrnoException) => {
    resolve(error.code === "ENOENT" ? false : error.code !== "ECONNREFUSED" || isListed(path));
  });
  return promise;
}

/** Bun reports ECONNREFUSED for a live datagram socket too. The kernel's list knows it by name. */
function isListed(path: string): boolean {
  try {
    return readFileSync("/proc/net/unix", "utf8").split("\n").some((line) =>
      line.endsWith(` ${path}`)
    );
  } catch {
    return false;
  }
}

/**
 * Takes possession of a socket file that has just been made at `path`, and sets its permissions.
 *
 * @param mode as chmod(2) takes it; the process's umask decides when undefined.
 */
export function ownFile(path: string, mode?: number): SocketFile {
  if (isAbstract(path)) return NOTHING;
  if (mode !== undefined) chmodSync(path, mode);
  const made = inode(path);
  let released = made === undefined;
  return {
    release() {
      if (released) return;
      released = true;
      try {
        if (inode(path) === made) unlinkSync(path);
      } catch {
        // The folder is gone, or no longer ours to write to: nothing is left to do.
      }
    },
  };
}

/** The file of a socket that somebody else made: ours to remove where it is said so. */
export function inheritedFile({ address, owned }: Inherited): SocketFile {
  return owned && address.path !== "" ? ownFile(address.path) : NOTHING;
}

/** A stream socket on its way to its path. */
export interface StagedFile extends SocketFile {
  /** What to bind. The path itself where there is no room for another name, or no file at all. */
  readonly path: string;
  /**
   * Lets the socket appear at its path, with these permissions.
   *
   * @throws PorticoError EADDRINUSE when somebody else has come first.
   */
  publish(mode?: number): void;
}

let counter = 0;

/** Prepares to bind the endpoint of a stream, whose path has been claimed. */
export function stageFile(endpoint: UnixEndpoint): StagedFile {
  const { path } = endpoint;
  counter++;
  const suffix = (process.pid * 4096 + counter % 4096).toString(36);
  const beside = join(dirname(path), `.${suffix}`);
  const tooLong = new TextEncoder().encode(beside).length > UNIX_PATH_MAX;
  const direct = isAbstract(path) || tooLong || basename(path) === `.${suffix}`;
  const bound = direct ? path : beside;
  let file: SocketFile | undefined;
  return {
    path: bound,
    publish(mode) {
      if (direct) {
        file = ownFile(path, mode);
        return;
      }
      if (mode !== undefined) chmodSync(beside, mode);
      try {
        move(beside, path);
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code === "EEXIST") {
          throw inUse(endpoint, "another process listens there");
        }
        throw bindFailure(endpoint, error);
      }
      file = ownFile(path);
    },
    release() {
      if (file !== undefined) file.release();
      else if (!direct) ownFile(beside).release();
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
