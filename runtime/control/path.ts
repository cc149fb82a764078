/** Where the control socket of a manifest is, so that `portico ctl` finds it without asking. */
import {
  lstatSync,
  mkdirSync,
  readlinkSync,
  realpathSync,
  renameSync,
  rmdirSync,
  statSync,
  symlinkSync,
  unlinkSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { basename, dirname, extname, join, resolve } from "node:path";
import process from "node:process";
import { UNIX_PATH_MAX } from "../core/endpoint.ts";
import type { Plan } from "../core/plan.ts";
import { messageOf, PorticoError } from "../core/errors.ts";
import { digest } from "../values/digest.ts";

/** What ends the names of control sockets, and of links to them. */
export const SOCKET = ".ctl";

/** The longest name that people are shown of a manifest, in characters. */
const NAME_MAX = 32;

/**
 * The control sockets that a manifest may have by itself, the best first. Which of them it has
 * depends on how the server was started: a login has XDG_RUNTIME_DIR, a service of systemd has not.
 *
 * @param manifest its file, by the path that the server was started with; else one that leads to that.
 */
export function defaultPaths(manifest: string): string[] {
  // A link may have been switched since the server was started by it; who was not may be asked by it.
  const names = new Set([resolve(manifest), realOf(manifest)].map(nameOf));
  return [...names].flatMap((name) => folders().map((folder) => join(folder, name))).filter(fits);
}

/**
 * The folders that this user's control sockets are in, and links to those that are elsewhere: whatever
 * environment a server was started in, {@link announce} has left something in one of them.
 */
export function registries(): string[] {
  const login = ownFolder(`/run/user/${process.getuid?.()}`);
  return [...new Set([...folders(), ...(login === undefined ? [] : [login]), ...fixedFolders()])];
}

/**
 * Leaves a link to a control socket where it is looked for in every environment, if it is not there itself.
 * Where that cannot be, whoever has the server's environment finds it.
 *
 * @returns removes it.
 */
export function announce(path: string): () => void {
  if (fixedFolders().includes(dirname(path))) return () => {};
  for (const link of announcedPaths(path)) {
    try {
      prepareFolder(dirname(link));
      const beside = `${link}.${process.pid}`;
      symlinkSync(path, beside);
      renameSync(beside, link);
      return () => withdraw(path);
    } catch {
      // The next one.
    }
  }
  return () => {};
}

/** Removes what {@link announce} has left. */
export function withdraw(path: string): void {
  for (const link of announcedPaths(path)) removeLink(link, path);
}

/** Where a link to a control socket may be, the best place first. */
export function announcedPaths(path: string): string[] {
  return fixedFolders().map((folder) => join(folder, nameOf(path)));
}

function removeLink(link: string, path: string): void {
  try {
    if (readlinkSync(link) === path) unlinkSync(link);
  } catch {
    // It is gone, or somebody else's.
  }
}

/**
 * The path of a server's control socket, in a folder that is there; undefined for none.
 *
 * @throws PorticoError as {@link prepareDefault}.
 */
export function controlPath(
  { file, control }: Pick<Plan, "file" | "control">,
): string | undefined {
  if (control === false) return undefined;
  return control ?? prepareDefault(file);
}

/**
 * The first of {@link defaultPaths} whose folder is there, or can be made: with mode 0700.
 *
 * @throws PorticoError EACCES when nobody could trust a socket in it: the folder belongs to another
 * user, or others may write to it; or when none can be made.
 */
export function prepareDefault(manifest: string): string {
  const paths = defaultPaths(manifest);
  let cause: unknown;
  for (const path of paths) {
    const folder = dirname(path);
    try {
      mkdirSync(folder, { mode: 0o700, recursive: true });
      tryWriting(folder);
    } catch (error) {
      // Of another user's is told, whether it can be written to or not.
      checkFolder(folder);
      cause = error;
      continue;
    }
    checkFolder(folder);
    return path;
  }
  const tried = paths.map((path) => dirname(path)).join(", ");
  throw new PorticoError(
    "EACCES",
    `no folder for the control socket can be made (${tried}): ${
      messageOf(cause)
    }; set "control" in the manifest`,
    { cause },
  );
}

/** A file system may be read-only, for root too; not every runtime's access(2) knows. @throws EROFS, EACCES … */
function tryWriting(folder: string): void {
  const probe = join(folder, `.${process.pid}`);
  mkdirSync(probe);
  rmdirSync(probe);
}

/** Makes it, for this user alone. @throws as {@link checkFolder}; what mkdir(2) says. */
function prepareFolder(folder: string): void {
  mkdirSync(folder, { mode: 0o700, recursive: true });
  checkFolder(folder);
}

/** @throws PorticoError EACCES when others could have put a socket into this folder. Nothing there: nothing is wrong. */
export function checkFolder(folder: string): void {
  const found = lstatSync(folder, { throwIfNoEntry: false });
  if (found === undefined) return;
  const user = process.getuid?.();
  // Windows has neither users nor modes to ask for.
  if (user === undefined) return;
  const why = !found.isDirectory()
    ? "it is no folder"
    : found.uid !== user
    ? `it belongs to user ${found.uid}, and this is user ${user}`
    : (found.mode & 0o022) !== 0
    ? "others may write to it"
    : undefined;
  if (why === undefined) return;
  throw new PorticoError("EACCES", `the folder of control sockets ${folder} is not safe: ${why}`);
}

/** `portico` below a runtime folder that is ours: after su(1), XDG_RUNTIME_DIR is still somebody else's. */
function folders(): string[] {
  const runtime = process.env["XDG_RUNTIME_DIR"];
  const own = runtime ? ownFolder(resolve(runtime)) : undefined;
  const [last, ...first] = fixedFolders().toReversed();
  const user = process.getuid?.() ?? "0";
  return [
    ...(own === undefined ? [] : [own]),
    ...first,
    join(tmpdir(), `portico-${user}`),
    last!,
  ];
}

/** Those that are the same in every environment, the best first. */
function fixedFolders(): string[] {
  const user = process.getuid?.();
  return [...(user === 0 ? ["/run/portico"] : []), `/tmp/portico-${user ?? "0"}`];
}

/** `portico` below a runtime folder of this user's; undefined for somebody else's. */
function ownFolder(runtime: string): string | undefined {
  const user = process.getuid?.();
  const stat = statSync(runtime, { throwIfNoEntry: false });
  const ours = stat?.isDirectory() && (user === undefined || stat.uid === user);
  return ours ? join(runtime, "portico") : undefined;
}

/** `echo-0123456789abc.ctl`: the folder's name for a file that is called portico, else the file's. */
function nameOf(file: string): string {
  const stem = basename(file, extname(file));
  const name = stem === "portico" ? basename(dirname(file)) : stem;
  const plain = name.replace(/[^\w.-]+/g, "_").slice(0, NAME_MAX);
  return `${plain || "portico"}-${digest(file)}${SOCKET}`;
}

function fits(path: string): boolean {
  return new TextEncoder().encode(path).length <= UNIX_PATH_MAX;
}

/** Without links, also of what has gone: as far as its folders are still there. */
export function realOf(file: string): string {
  const path = resolve(file);
  try {
    return realpathSync(path);
  } catch {
    const folder = dirname(path);
    return folder === path ? path : join(realOf(folder), basename(path));
  }
}
