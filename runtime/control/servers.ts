/** Which servers of this user run: whoever answers at one of their control sockets. */
import { lstatSync, readdirSync, realpathSync, type Stats, statSync, unlinkSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import type { Adapter } from "../core/contract.ts";
import { codeOf, PorticoError } from "../core/errors.ts";
import type { ServerStatus } from "../services/status.ts";
import { ask } from "./client.ts";
import { checkFolder, realOf, registries, SOCKET } from "./path.ts";

/** How servers are looked for, in ms. */
interface SearchOptions {
  /** That a server may take to say who it is. */
  readonly patience: number;
  /** After which a socket on which nobody listens is none that is just being opened. */
  readonly stale: number;
}

const SEARCH: SearchOptions = { patience: 2000, stale: 10_000 };
/** How many are asked at a time. */
const AT_ONCE = 50;

/** A server that listens on its control socket. */
export interface FoundServer {
  /** The socket's path. */
  readonly socket: string;
  /** What it says of itself; or why it says nothing. */
  readonly status: ServerStatus | PorticoError;
}

/**
 * Asks every server of this user that has a control socket. What a server that was killed has left, a
 * socket or a link to one, is removed.
 *
 * @returns each once, in the order of their sockets' names.
 */
export async function findServers(
  adapter: Adapter,
  options: SearchOptions = SEARCH,
): Promise<FoundServer[]> {
  const entries = registries().filter(isSafe).flatMap((folder) =>
    readdirSync(folder).filter((name) => name.endsWith(SOCKET)).map((name) => join(folder, name))
  );
  // By where it really is: there may be a link to it, too.
  const sockets = new Map<string, string>();
  for (const entry of entries) {
    const found = look(entry, options);
    if (found !== undefined && !sockets.has(found)) sockets.set(found, entry);
  }
  const servers: FoundServer[] = [];
  for (const waiting = [...sockets]; waiting.length > 0;) {
    const asked = waiting.splice(0, AT_ONCE).map((place) => introduce(adapter, ...place, options));
    for (const server of await Promise.all(asked)) if (server !== undefined) servers.push(server);
  }
  return servers.toSorted((a, b) => a.socket < b.socket ? -1 : 1);
}

/** Those that were started with this manifest, by its path, whether it is still there or not. */
export async function findByManifest(
  adapter: Adapter,
  files: readonly string[],
): Promise<FoundServer[]> {
  const wanted = new Set(files.flatMap((file) => [file, realOf(file)]));
  return (await findServers(adapter)).filter(({ status }) =>
    "manifest" in status && [status.manifest, realOf(status.manifest)].some((it) => wanted.has(it))
  );
}

/** Where the socket of an entry really is; undefined where none of this user's is. */
function look(entry: string, { stale }: SearchOptions): string | undefined {
  try {
    const stat = statSync(entry);
    // A link leads to where others may have put something, after the server's end.
    const ours = process.getuid === undefined || stat.uid === process.getuid();
    return stat.isSocket() && ours ? realpathSync(entry) : undefined;
  } catch (error) {
    const link = lstatSync(entry, { throwIfNoEntry: false });
    if (codeOf(error) === "ENOENT") removeStale(entry, link, stale);
    return undefined;
  }
}

async function introduce(
  adapter: Adapter,
  socket: string,
  entry: string,
  { patience, stale }: SearchOptions,
): Promise<FoundServer | undefined> {
  const before = lstatSync(entry, { throwIfNoEntry: false });
  try {
    const status = await ask(adapter, socket, { command: "status" }, { patience });
    return { socket, status: status as ServerStatus };
  } catch (error) {
    if (!(error instanceof PorticoError)) throw error;
    if (error.code !== "ECONNREFUSED" && error.code !== "ENOENT") return { socket, status: error };
    removeStale(entry, before, stale);
    return undefined;
  }
}

/** A server that starts may have made it this moment, or put its own in its place. */
function removeStale(entry: string, seen: Stats | undefined, stale: number): void {
  if (seen === undefined || Date.now() - seen.ctimeMs < stale) return;
  try {
    if (lstatSync(entry).ino === seen.ino) unlinkSync(entry);
  } catch {
    // Somebody else was quicker.
  }
}

function isSafe(folder: string): boolean {
  try {
    checkFolder(folder);
    return lstatSync(folder, { throwIfNoEntry: false }) !== undefined;
  } catch {
    return false;
  }
}
