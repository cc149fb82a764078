/** Looks a program up before anybody calls, so that a wrong name is an error of the start. */
import { accessSync, constants, statSync } from "node:fs";
import { delimiter, resolve } from "node:path";
import { PorticoError } from "../../runtime/mod.ts";

/** The folder that programs run in, absolute. @throws PorticoError ENOENT when there is none. */
export function findFolder(manifest: string, cwd = "."): string {
  const path = resolve(manifest, cwd);
  if (statSync(path, { throwIfNoEntry: false })?.isDirectory()) return path;
  throw new PorticoError("ENOENT", `exec: cwd ${path}: no such folder`);
}

/**
 * The path of a program: as it is where it has a slash in it, else the first one in `path`.
 *
 * @throws PorticoError ENOENT, or EACCES for what cannot be executed.
 */
export function findProgram(program: string, folder: string, path: string | undefined): string {
  if (program.includes("/")) {
    const file = resolve(folder, program);
    const flaw = flawOf(file);
    if (flaw === undefined) return file;
    throw flawed(file, flaw);
  }
  const folders = (path ?? "").split(delimiter).filter((folder) => folder !== "");
  let first: PorticoError | undefined;
  for (const each of folders) {
    const file = resolve(folder, each, program);
    const flaw = flawOf(file);
    if (flaw === undefined) return file;
    if (flaw !== "no such file") first ??= flawed(file, flaw);
  }
  throw first ??
    new PorticoError(
      "ENOENT",
      `exec: ${program}: no such program in PATH (${folders.join(delimiter)})`,
    );
}

type Flaw = "no such file" | "a folder" | "not executable";

function flawOf(file: string): Flaw | undefined {
  const found = lookAt(file);
  if (found === undefined) return "no such file";
  if (!found.isFile()) return "a folder";
  try {
    accessSync(file, constants.X_OK);
    return undefined;
  } catch (error) {
    checkErrno(error);
    return "not executable";
  }
}

/** A path through something that is no folder, or that may not be entered, leads to no file. */
function lookAt(file: string): ReturnType<typeof statSync> {
  try {
    return statSync(file, { throwIfNoEntry: false });
  } catch (error) {
    checkErrno(error);
    return undefined;
  }
}

/** What is no answer of the system says something else: that the runtime was not given a permission. */
function checkErrno(error: unknown): void {
  if (!/^E[A-Z]+$/.test((error as { code?: string }).code ?? "")) throw error;
}

function flawed(file: string, flaw: Flaw): PorticoError {
  return new PorticoError(flaw === "no such file" ? "ENOENT" : "EACCES", `exec: ${file}: ${flaw}`);
}
