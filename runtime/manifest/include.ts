/**
 * `includedir`: services in files of their own, as /etc/xinetd.d has them. What they say becomes part of the
 * manifest, and keeps its place: problems point into the file, and relative paths start at its folder.
 */
import { readdirSync, readFileSync } from "node:fs";
import { basename, dirname, extname, join, relative, resolve } from "node:path";
import { codeOf, messageOf } from "../core/errors.ts";
import { nearest } from "../values/nearest.ts";
import { ManifestError, type Path, type Problem, show } from "../values/problem.ts";
import { isPlain, substitute } from "./environment.ts";
import { parseJsonc } from "./jsonc.ts";
import { folderOf, type Place, type Source } from "./source.ts";

const EXPECTED = 'the path of a folder, as "./services.d", or a list of these';
/** A folder that was meant to be another one. */
const FILES_MAX = 10_000;
const SEVERAL: readonly string[] = ["$schema", "services"];

type Variables = Readonly<Record<string, string | undefined>>;

/** What one file adds: services by name, and where they stand in it. */
interface Part {
  readonly source: Source;
  readonly services: readonly (readonly [name: string, service: unknown, path: Path])[];
}

/** A service that has been read, whatever file it is in. */
interface Known {
  readonly source: Source;
  /** Where it stands there. */
  readonly path: Path;
}

/**
 * Puts the services of other files into a manifest that names their folders; another one stays as it is. Of
 * each folder the files count whose names end with `.json` or `.jsonc` and do not begin with a dot, in the
 * order of their names' characters.
 *
 * @throws ManifestError with all that is wrong with the files.
 */
export function withIncluded(main: Source, variables: Variables): Source {
  const { value } = main;
  if (!isObject(value) || value["includedir"] === undefined) return main;
  const problems: Problem[] = [];
  const folders = foldersOf(main, value["includedir"], variables, problems);
  const known = new Map<string, Known>(
    isObject(value["services"])
      ? Object.keys(value["services"]).map((
        name,
      ) => [name, { source: main, path: ["services", name] }])
      : [],
  );
  const services: [string, unknown][] = [];
  const files: string[] = [];
  for (const { folder, path } of folders) {
    files.push(`${folder}/.`);
    for (const file of filesIn(folder, path, main, problems)) {
      files.push(file);
      for (const part of attempt(() => [readPart(file)], problems)) {
        for (const [name, service, path] of part.services) {
          const found = { source: part.source, path };
          const earlier = known.get(name);
          if (earlier !== undefined) problems.push(twice(name, found, earlier, main));
          else services.push([name, service]);
          known.set(name, earlier ?? found);
        }
      }
    }
  }
  if (problems.length > 0) throw new ManifestError(problems);
  const own = isObject(value["services"]) ? value["services"] : {};
  return {
    ...main,
    value: value["services"] !== undefined && !isObject(value["services"])
      ? value
      : { ...value, services: { ...own, ...Object.fromEntries(services) } },
    included: files,
    fileOf: (path) => elsewhere(path, known, main)?.source.file,
    locate(path, part) {
      const found = elsewhere(path, known, main);
      if (found === undefined) return main.locate(path, part);
      const place = found.source.locate([...found.path, ...path.slice(2)], part);
      return place === undefined ? undefined : { file: found.source.file, ...place };
    },
  };
}

/** The service that a path leads to, where another file has it. */
function elsewhere([top, name]: Path, known: ReadonlyMap<string, Known>, main: Source) {
  const found = top === "services" ? known.get(String(name)) : undefined;
  return found?.source === main ? undefined : found;
}

function foldersOf(
  main: Source,
  said: unknown,
  variables: Variables,
  problems: Problem[],
): { readonly folder: string; readonly path: Path }[] {
  const items = Array.isArray(said) ? said : [said];
  return items.flatMap((item, index) => {
    const path = Array.isArray(said) ? ["includedir", index] : ["includedir"];
    if (typeof item !== "string" || item === "" || item.includes("\0")) {
      problems.push(problemAt(main, path, show(item), EXPECTED));
      return [];
    }
    const text = substitute(item, variables, (_, received, expected) => {
      problems.push(problemAt(main, path, received, expected));
    });
    return [{ folder: resolve(folderOf(main), text as string), path }];
  });
}

/** What counts of a folder: not what editors and package managers leave beside it. */
function filesIn(folder: string, path: Path, main: Source, problems: Problem[]): string[] {
  try {
    const names = readdirSync(folder, { withFileTypes: true })
      .filter((entry) => !entry.isDirectory() && isIncluded(entry.name))
      .map(({ name }) => name);
    if (names.length > FILES_MAX) {
      throw new Error(`more than ${FILES_MAX} files are in it`);
    }
    // By the characters, whatever the language of the system is.
    return names.sort((a, b) => a < b ? -1 : 1).map((name) => join(folder, name));
  } catch (error) {
    const why = codeOf(error) === "ENOENT" ? "there is none" : messageOf(error);
    const name = relative(folderOf(main), folder);
    problems.push(problemAt(main, path, `${show(name)}: ${why}`, "a folder that can be read"));
    return [];
  }
}

function isIncluded(name: string): boolean {
  return !name.startsWith(".") && [".json", ".jsonc"].includes(extname(name));
}

function readPart(file: string): Part {
  const source = parseJsonc(readText(file), file);
  const { value } = source;
  if (!isObject(value)) {
    throw new ManifestError([
      problemAt(source, [], show(value), 'a service: { "plugin": …, "listen": … }'),
    ]);
  }
  if (!Object.hasOwn(value, "services")) {
    const { $schema: _, ...service } = value;
    return { source, services: [[basename(file, extname(file)), service, []]] };
  }
  const unknown = Object.keys(value).filter((key) => !SEVERAL.includes(key));
  if (unknown.length > 0) {
    throw new ManifestError(unknown.map((key) => {
      const meant = nearest(key, SEVERAL);
      return {
        ...problemAt(
          source,
          [key],
          `the key ${show(key)} beside "services"`,
          "services alone: what is for all of them stands in the manifest that includes this file",
          "key",
        ),
        ...(meant !== undefined && { hint: `did you mean ${show(meant)}?` }),
      };
    }));
  }
  const { services } = value;
  if (!isObject(services)) {
    throw new ManifestError([
      problemAt(source, ["services"], show(services), '{ "NAME": { "plugin": …, "listen": … } }'),
    ]);
  }
  return {
    source,
    services: Object.entries(services).map(([name, service]) => [
      name,
      service,
      ["services", name],
    ]),
  };
}

function readText(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch (error) {
    const received = codeOf(error) === "EACCES" ? "no permission to read it" : messageOf(error);
    const expected = "a file that can be read";
    throw new ManifestError([{ code: "MANIFEST_SYNTAX", file, path: [], received, expected }]);
  }
}

/** All files are looked at, whatever is wrong with one of them. */
function attempt<Result>(read: () => Result[], problems: Problem[]): Result[] {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof ManifestError)) throw error;
    problems.push(...error.problems);
    return [];
  }
}

function twice(name: string, found: Known, earlier: Known, main: Source): Problem {
  const place = earlier.source.locate(earlier.path, "key");
  const at = place !== undefined && "line" in place ? `:${place.line}:${place.column}` : "";
  const file = relative(dirname(main.file), earlier.source.file);
  return problemAt(
    found.source,
    found.path,
    `the service ${show(name)} a second time`,
    `each name once: ${file}${at} has it already`,
    "key",
  );
}

function problemAt(
  source: Source,
  path: Path,
  received: string,
  expected: string,
  part: "key" | "value" = "value",
): Problem {
  const place: Place | undefined = source.locate(path, part);
  return { code: "MANIFEST_INVALID", file: source.file, path, ...place, received, expected };
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value) && isPlain(value);
}
