import { readFileSync, statSync } from "node:fs";
import { basename, dirname, extname, join, resolve } from "node:path";
import process from "node:process";
import { pathToFileURL } from "node:url";
import { codeOf, messageOf } from "../core/errors.ts";
import { parsePlace } from "../core/frames.ts";
import { substitute } from "./environment.ts";
import { DEPTH_EXPECTED, pathTooDeep } from "./depth.ts";
import { embeddedManifest } from "../modules/embedded.ts";
import { namingObjects } from "./objects.ts";
import { importModule, type VersionOf } from "../modules/import.ts";
import { realOf } from "../modules/graph.ts";
import { formatPath, ManifestError, type Path, type Problem, show } from "../values/problem.ts";
import { parseJsonc } from "./jsonc.ts";
import { loadParts } from "./parts.ts";
import { Problems, type Source } from "./source.ts";

/** What a manifest is called in a folder. */
export const NAMES: readonly string[] = ["portico.json", "portico.jsonc", "portico.ts"];

/**
 * Finds and reads a manifest: JSON with comments, or a module's default export. Environment
 * variables are put in; nothing is checked yet.
 *
 * @param path a manifest, or a folder with one of {@link NAMES}.
 * @param variables the environment.
 * @throws ManifestError MANIFEST_NOT_FOUND, MANIFEST_SYNTAX, or MANIFEST_INVALID for a variable that is not set.
 */
export async function load(
  path: string,
  variables: Readonly<Record<string, string | undefined>> = process.env,
  versionOf: VersionOf = () => undefined,
): Promise<Source> {
  const file = find(resolve(path));
  return await withVariables(await read(file, versionOf), variables);
}

/** As {@link load}, without what `includedir` adds: of a manifest that is to run elsewhere. */
export async function loadAlone(
  path: string,
  variables: Readonly<Record<string, string | undefined>>,
): Promise<Source> {
  const source = await read(find(resolve(path)));
  const { includedir: _, ...own } = Object(source.value) as { readonly includedir?: unknown };
  return withVariables(_ === undefined ? source : { ...source, value: own }, variables);
}

/**
 * Makes a manifest of a value of a program, which may hold plugins and sinks themselves.
 *
 * @param file what {@link Source.file} says.
 * @param locate as there.
 * @throws ManifestError as {@link load}.
 */
export async function sourceOf(
  held: unknown,
  file: string,
  locate: Source["locate"],
  variables: Readonly<Record<string, string | undefined>> = process.env,
): Promise<Source> {
  return await withVariables(valueSource(held, file, locate), variables);
}

/** What it speaks of is loaded. */
async function withVariables(
  main: Source,
  variables: Readonly<Record<string, string | undefined>>,
): Promise<Source> {
  const { includedir } = Object(main.value) as { includedir?: unknown };
  const raw = includedir === undefined
    ? main
    : (await import("./include.ts")).withIncluded(main, variables);
  const problems = new Problems(raw);
  const references: { path: Path; whole: boolean }[] = [];
  const value = substitute(
    raw.value,
    variables,
    (...problem) => problems.add(...problem),
    (path, whole) => void references.push({ path, whole }),
  );
  problems.throwIfAny();
  await loadParts(value);
  return { ...raw, value, references };
}

/** The values of a manifest as they are written. */
export async function read(
  file: string,
  versionOf: VersionOf = () => undefined,
): Promise<Source> {
  const inside = embeddedManifest(file);
  if (inside !== undefined) {
    const { content, folder } = inside;
    const source = typeof content === "string"
      ? parseJsonc(content, file)
      : moduleSource(await content(), file);
    return { ...source, folder };
  }
  return isModule(file) ? await loadModule(file, versionOf) : parseJsonc(readText(file), file);
}

/** Whether a manifest is a module, and not JSON. */
export function isModule(file: string): boolean {
  return /^\.[cm]?[jt]s$/.test(extname(file));
}

/**
 * What a manifest says of its control socket, whatever else is wrong in it: the server that runs may have
 * been started with variables that are not set here, or before the manifest was broken.
 *
 * @returns `control`: its path, absolute; false for none; undefined for what the manifest does not say, or
 * what only those variables tell. `wrong`: why it could not be read.
 */
export async function findControl(
  file: string,
  variables: Readonly<Record<string, string | undefined>> = process.env,
): Promise<{ readonly control: string | false | undefined; readonly wrong?: ManifestError }> {
  try {
    const { value, references, folder } = await load(file, variables);
    const variable = references?.some(({ path, whole }) => whole && path.join() === "control");
    return { control: controlOf(value, folder ?? dirname(file), variable) };
  } catch (wrong) {
    if (!(wrong instanceof ManifestError)) throw wrong;
    try {
      const { content = readText(file), folder = dirname(file) } = embeddedManifest(file) ?? {};
      const text = typeof content === "string" ? content : "";
      const { control } = Object(parseJsonc(text, file).value) as { control?: unknown };
      let known = true;
      const value = { control: substitute(control, variables, () => known = false) };
      return { control: known ? controlOf(value, folder) : undefined, wrong };
    } catch {
      return { control: undefined, wrong };
    }
  }
}

/** @param variable it is one, whose text may mean a boolean. */
function controlOf(
  manifest: unknown,
  folder: string,
  variable = false,
): string | false | undefined {
  const { control } = Object(manifest) as { control?: unknown };
  if (control === false || (variable && control === "false")) return false;
  if (typeof control !== "string") return undefined;
  return resolve(folder, control.replace(/^unix:/, ""));
}

/** The manifest's file, absolute. @throws ManifestError when there is none, or there are two. */
export function find(path: string): string {
  const stat = statSync(path, { throwIfNoEntry: false });
  if (stat === undefined) {
    throw failure(
      "MANIFEST_NOT_FOUND",
      path,
      "no such file or folder",
      `a manifest, or a folder with ${NAMES.join(", ")}`,
    );
  }
  if (!stat.isDirectory()) return path;
  const found = NAMES.filter((name) =>
    statSync(join(path, name), { throwIfNoEntry: false })?.isFile()
  );
  if (found.length === 1) return join(path, found[0]!);
  if (found.length === 0) {
    throw failure(
      "MANIFEST_NOT_FOUND",
      path,
      "a folder without a manifest",
      `one of ${NAMES.join(", ")} in it`,
    );
  }
  throw failure(
    "MANIFEST_INVALID",
    path,
    `a folder with ${found.join(" and ")}`,
    "one of them, or the path of the one to run",
  );
}

function readText(file: string): string {
  try {
    // One like /dev/zero never ends.
    if (statSync(file).isCharacterDevice()) throw new Error("a device");
    return readFileSync(file, "utf8");
  } catch (error) {
    throw failure(
      "MANIFEST_SYNTAX",
      file,
      codeOf(error) === "EACCES" ? "no permission to read it" : messageOf(error),
      "a file that can be read",
      error,
    );
  }
}

async function loadModule(file: string, versionOf: VersionOf): Promise<Source> {
  const { href } = pathToFileURL(file);
  const result = await importModule(href, versionOf(href));
  if ("module" in result) return moduleSource(result.module, file);
  const { message, at, hint, cause } = result;
  const place = at === undefined ? { file } : parsePlace(at);
  const elsewhere = place.file !== file && place.file !== realOf(file);
  throw new ManifestError([{
    code: "MANIFEST_SYNTAX",
    file: elsewhere ? place.file : file,
    ...(place.line !== undefined && { line: place.line, column: place.column ?? 1 }),
    path: [],
    received: message,
    expected: `a module that can be imported${
      elsewhere ? `, as ${show(basename(file))} does` : ""
    }`,
    ...(hint !== undefined && { hint }),
    ...(place.line !== undefined && { source: place }),
  }], { cause });
}

function moduleSource(module: Readonly<Record<string, unknown>>, file: string): Source {
  if ("default" in module) return valueSource(module["default"], file, () => undefined);
  throw failure(
    "MANIFEST_INVALID",
    file,
    `a module without a default export`,
    "export default defineManifest({ services: { … } })",
  );
}

function valueSource(held: unknown, file: string, locate: Source["locate"]): Source {
  const value = namingObjects(held);
  const deep = pathTooDeep(value);
  if (deep === undefined) return { file, value, held, locate };
  const place = `level ${deep.length + 1}, below ${formatPath(deep.slice(0, 5))}`;
  throw failure("MANIFEST_INVALID", file, place, DEPTH_EXPECTED);
}

function failure(
  code: Problem["code"],
  file: string,
  received: string,
  expected: string,
  cause?: unknown,
): ManifestError {
  return new ManifestError([{ code, file, path: [], received, expected }], { cause });
}
