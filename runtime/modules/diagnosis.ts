/** What an author has to write instead, of what keeps a module from being imported. */
import { readdirSync, readFileSync, statSync } from "node:fs";
import { isBuiltin } from "node:module";
import { basename, dirname, join, relative, resolve } from "node:path";
import { didYouMean, nearest } from "../values/nearest.ts";
import { textOf } from "../core/frames.ts";
import { graphOf, guess, isModule, realOf, specifiersIn } from "./graph.ts";
import { resolvePackage } from "./package.ts";

/** What is known better than the runtime says it. */
export interface Diagnosis {
  readonly message: string;
  readonly at?: string | undefined;
  readonly hint?: string | undefined;
}

/** TypeScript that has to be compiled, by what Node calls it: what it is, and what to write. */
const CONSTRUCTS: readonly (readonly [RegExp, string, string])[] = [
  [/\benum\b/, "an enum", 'an object: const Colour = { Red: "red" } as const'],
  [/\bnamespace\b|\bmodule\b/, "a namespace", "exports of a module of their own"],
  [
    /parameter property/,
    "a parameter property",
    "a field: readonly x: number; constructor(x: number) { this.x = x; }",
  ],
  [/import equals/, "an import with =", 'import x from "x"'],
  [/export assignment/, "an export with =", "export default"],
];

/** @param at where the runtime says that it is. */
export function diagnose(
  error: unknown,
  message: string,
  at: string | undefined,
  url: string,
): Diagnosis | undefined {
  if (!url.startsWith("file:")) return undefined;
  const { code } = Object(error) as { code?: unknown };
  if (code === "ERR_UNSUPPORTED_TYPESCRIPT_SYNTAX") return construct(message);
  const name = /(?:does not provide an export named|^Export named) '([^']+)'/.exec(message)?.[1];
  if (name !== undefined) return missingExport(name, url);
  if (/import attribute|without specifying "type"/.test(message)) return jsonImport(url, at);
  if (/not find|not found|not a dependency|not supported resolving/i.test(message)) {
    return missingImport(message, url);
  }
  if (/JSON/.test(message)) return brokenJson(message, url);
  if (/^Invalid or unexpected token$/.test(message) && /^\s*@/.test(lineAt(at))) {
    return { message: "a decorator, which this runtime does not read", hint: "call the function" };
  }
  return undefined;
}

function construct(message: string): Diagnosis | undefined {
  const [, what, instead] = CONSTRUCTS.find(([pattern]) => pattern.test(message)) ?? [];
  if (what === undefined) return undefined;
  return {
    message: `${what}: TypeScript that has to be compiled, and Node only leaves types out`,
    hint: `write ${instead}`,
  };
}

/** A specifier in the text of a file. */
interface Import {
  readonly file: string;
  readonly text: string;
  readonly specifier: string;
  /** Of the specifier, without its quotes. */
  readonly offset: number;
}

function importsBelow(url: string): Import[] {
  return [...graphOf(url)].flatMap(([file, { isPackage }]) => {
    const text = isPackage !== true && isModule(file) ? readText(file) : "";
    return specifiersIn(text).map((found) => ({ file, text, ...found }));
  });
}

function missingImport(message: string, url: string): Diagnosis | undefined {
  const missing = importsBelow(url).filter(({ specifier, file }) => {
    if (!/^\.\.?\//.test(specifier)) return isMissingPackage(specifier, file);
    return !statSync(targetOf(specifier, file), { throwIfNoEntry: false })?.isFile();
  });
  // A comment may seem to import something; the runtime names what it misses by its path, or as it is written.
  const found = missing.find(({ specifier, file }) =>
    [specifier, targetOf(specifier, file)].some((name) => names(message, name))
  );
  if (found === undefined) return undefined;
  const { specifier, file } = found;
  const at = placeOf(found);
  const isFolder = statSync(targetOf(specifier, file), { throwIfNoEntry: false })?.isDirectory();
  const shown = JSON.stringify(specifier);
  if (!specifier.startsWith(".")) {
    return {
      message: `no package ${shown} is installed for ${file}`,
      at,
      hint: packageHint(specifier, file),
    };
  }
  const what = isFolder ? `${shown} is a folder` : `there is no file ${shown}`;
  return {
    message: `${what}: an import names a file, with its extension`,
    at,
    hint: fileHint(specifier, file),
  };
}

function isMissingPackage(specifier: string, file: string): boolean {
  if (/^(?:[a-z]+:|#)/i.test(specifier) || isBuiltin(specifier)) return false;
  return resolvePackage(specifier, file) === undefined;
}

/** As a whole, and not as the beginning of another name. */
function names(message: string, name: string): boolean {
  const at = message.indexOf(name);
  return at >= 0 && !/[\w.-]/.test(message[at + name.length] ?? "");
}

function targetOf(specifier: string, file: string): string {
  return resolve(dirname(realOf(file)), decode(specifier.replace(/[?#].*$/, "")));
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** The file that is there: with an extension, another extension, in the folder, or of a name that is near. */
function fileHint(specifier: string, file: string): string | undefined {
  const target = targetOf(specifier, file);
  const written = (path: string): string => {
    const name = relative(dirname(realOf(file)), path).replaceAll("\\", "/");
    return `did you mean ${JSON.stringify(name.startsWith(".") ? name : `./${name}`)}?`;
  };
  const stem = target.replace(/\.[cm]?[jt]sx?$/, "");
  for (const path of [guess(target), guess(stem)]) {
    if (statSync(path, { throwIfNoEntry: false })?.isFile()) return written(path);
  }
  const near = nearest(basename(target), entriesOf(dirname(target)));
  return near === undefined ? undefined : written(join(dirname(target), near));
}

function packageHint(specifier: string, file: string): string {
  const beside = guess(resolve(dirname(realOf(file)), specifier));
  if (statSync(beside, { throwIfNoEntry: false })?.isFile()) {
    return `did you mean "./${relative(dirname(realOf(file)), beside)}"?`;
  }
  const [, name = specifier] = /^((?:@[^/]+\/)?[^/]+)/.exec(specifier) ?? [];
  return didYouMean(name, installedFor(file)) ?? `npm install ${name}`;
}

function installedFor(file: string): string[] {
  for (let folder = dirname(file);; folder = dirname(folder)) {
    const names = entriesOf(join(folder, "node_modules"));
    if (names.length > 0) return names;
    if (dirname(folder) === folder) return [];
  }
}

function entriesOf(folder: string): string[] {
  try {
    return readdirSync(folder).filter((name) => !name.startsWith("."));
  } catch {
    return [];
  }
}

/** `import { Foo }` of what is a type is left to the runtime, and it finds no such value. */
function missingExport(name: string, url: string): Diagnosis | undefined {
  const word = new RegExp(`\\b${name}\\b`);
  for (const one of importsBelow(url)) {
    const before = one.text.slice(0, one.offset);
    const start = Math.max(before.lastIndexOf("import"), before.lastIndexOf("export"));
    const found = word.exec(before.slice(Math.max(0, start)));
    const target = targetOf(one.specifier, one.file);
    const text = one.specifier.startsWith(".") ? readText(guess(target)) : "";
    const exported = new Set(
      [...text.matchAll(/\bexport\s+(?:async\s+)?(?:const|let|class|function\*?)\s+(\w+)/g)]
        .map((match) => match[1]!),
    );
    if (found === null || start < 0 || exported.has(name)) continue;
    const isType = new RegExp(`\\b(?:interface|type)\\s+${name}\\b`).test(text);
    return {
      message: `${JSON.stringify(one.specifier)} exports no ${name}`,
      at: placeOf({ ...one, offset: start + found.index }),
      hint: isType ? `it is a type: import { type ${name} }` : didYouMean(name, exported),
    };
  }
  return undefined;
}

function jsonImport(url: string, at: string | undefined): Diagnosis {
  const found = importsBelow(url).find(({ specifier, text, offset }) =>
    specifier.endsWith(".json") && !/^["']\s*with\b/.test(text.slice(offset + specifier.length))
  );
  return {
    message: "JSON is imported with its type",
    at: found === undefined ? at : placeOf(found),
    hint: `import data from ${
      JSON.stringify(found?.specifier ?? "./data.json")
    } with { type: "json" }`,
  };
}

function brokenJson(message: string, url: string): Diagnosis | undefined {
  const path = [...graphOf(url).keys()].find((file) => {
    if (!file.endsWith(".json")) return false;
    try {
      JSON.parse(readText(file));
      return false;
    } catch {
      return true;
    }
  });
  if (path === undefined) return undefined;
  const [, line, column] = /line (\d+) column (\d+)/.exec(message) ?? [];
  const text = message.replace(`${path}: `, "");
  return { message: text, at: textOf({ path, ...(line && { line }), ...(column && { column }) }) };
}

function placeOf({ file, text, offset }: Omit<Import, "specifier">): string {
  const lines = text.slice(0, offset).split("\n");
  return textOf({
    path: file,
    line: String(lines.length),
    column: String(lines.at(-1)!.length + 1),
  });
}

/** The line that a place names. */
function lineAt(at: string | undefined): string {
  const [, file, line] = /^(.+?):(\d+)(?::\d+)?$/.exec(at ?? "") ?? [];
  return file === undefined ? "" : readText(file).split("\n")[Number(line) - 1] ?? "";
}

function readText(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return "";
  }
}
