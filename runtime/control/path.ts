/** Where the control socket of a manifest is, so that `portico ctl` finds it without asking. */
import { lstatSync, mkdirSync, realpathSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, dirname, extname, join, resolve } from "node:path";
import process from "node:process";
import { UNIX_PATH_MAX } from "../core/endpoint.ts";
import type { Plan } from "../core/plan.ts";
import { messageOf, PorticoError } from "../core/errors.ts";
import { digest } from "../values/digest.ts";

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
    } catch (error) {
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
  const user = process.getuid?.();
  const runtime = process.env["XDG_RUNTIME_DIR"];
  const stat = runtime ? statSync(runtime, { throwIfNoEntry: false }) : undefined;
  const ours = stat?.isDirectory() && (user === undefined || stat.uid === user);
  return [
    ...(ours ? [join(resolve(runtime!), "portico")] : []),
    ...(user === 0 ? ["/run/portico"] : []),
    ...[tmpdir(), "/tmp"].map((folder) => join(folder, `portico-${user ?? "0"}`)),
  ];
}

/** `echo-0123456789abc.ctl`: the folder's name for a manifest of the usual name, else the file's. */
function nameOf(file: string): string {
  const stem = basename(file, extname(file));
  const name = stem === "portico" ? basename(dirname(file)) : stem;
  const plain = name.replace(/[^\w.-]+/g, "_").slice(0, NAME_MAX);
  return `${plain || "portico"}-${digest(file)}.ctl`;
}

function fits(path: string): boolean {
  return new TextEncoder().encode(path).length <= UNIX_PATH_MAX;
}

function realOf(file: string): string {
  const path = resolve(file);
  try {
    return realpathSync(path);
  } catch {
    return path;
  }
}
