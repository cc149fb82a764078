import { basename, dirname, relative } from "node:path";
import type { Code } from "../core/errors.ts";
import { parsePlace } from "../core/frames.ts";
import { ManifestError, type Path, type Position, type Problem } from "../values/problem.ts";

/** Whether a key or its value is meant, in a place of a manifest. */
export type Part = "key" | "value";

/** What may be said of a problem beside its place, what stands there and what would be right. */
export interface ProblemDetails {
  /** MANIFEST_INVALID when silent. */
  readonly code?: Code;
  /** The value when silent. */
  readonly part?: Part;
  readonly hint?: string | undefined;
  /** Where in a plugin's code, `/srv/app/plugin.ts:12:5`. */
  readonly at?: string | undefined;
}

/** What a place of a manifest is called: by its line in a text; where there is no text, otherwise. */
export type Place = (Position & Partial<Pick<Problem, "file">>) | Pick<Problem, "file" | "path">;

/** A manifest as it was read: values, and where they stand. */
export interface Source {
  /** Absolute. What is no file of its own lies in the folder where relative paths start. */
  readonly file: string;
  /** Where relative paths start, absolute; the file's folder when silent. */
  readonly folder?: string;
  readonly value: unknown;
  /** The value of a program that it was made of: as long as it is here, so are the objects in it. */
  readonly held?: unknown;
  /** Where the environment has had a say; `whole`: a variable is all that stands there. Nowhere when silent. */
  readonly references?: readonly { readonly path: Path; readonly whole: boolean }[];
  /** What it was read from beside the file: further files, and folders, with `/.` at their ends. */
  readonly included?: readonly string[];
  /** The file that says what is at a path, absolute, where that is another one. */
  readonly fileOf?: (path: Path) => string | undefined;
  /** Where a value or its key stands; the nearest enclosing value when it is not there. */
  locate(path: Path, part: Part): Place | undefined;
}

/** Where relative paths of a manifest start. */
export function folderOf({ file, folder = dirname(file) }: Source): string {
  return folder;
}

/** Where relative paths start that stand at a path. */
export function folderAt(source: Source, path: Path): string {
  const file = source.fileOf?.(path);
  return file === undefined ? folderOf(source) : dirname(file);
}

/** The file that what is at a path stands in. */
export function fileAt(source: Source, path: Path): string {
  return source.fileOf?.(path) ?? source.file;
}

/** Collects the problems of one manifest, so that all of them are told at once. */
export class Problems {
  readonly source: Source;
  readonly #list: Problem[] = [];

  constructor(source: Source) {
    this.source = source;
  }

  add(
    path: Path,
    received: string,
    expected: string,
    { code = "MANIFEST_INVALID", part = "value", hint, at }: ProblemDetails = {},
  ): void {
    this.#list.push({
      code,
      file: this.source.file,
      path,
      ...this.source.locate(path, part),
      received,
      expected,
      ...(hint !== undefined && { hint }),
      ...(at !== undefined && { source: parsePlace(at) }),
    });
  }

  /** `portico.json:5:17`, for a record; undefined where values have no place in a text. */
  at(path: Path): string | undefined {
    const place = this.source.locate(path, "value");
    if (place === undefined || !("line" in place)) return undefined;
    return `${this.#name(place.file) ?? basename(this.source.file)}:${place.line}:${place.column}`;
  }

  /** ` (5:17)`, for a problem that points at another place; empty where values have no place in a text. */
  place(path: Path): string {
    const place = this.source.locate(path, "value");
    if (place === undefined || !("line" in place)) return "";
    const name = this.#name(place.file);
    return ` (${name === undefined ? "" : `${name}:`}${place.line}:${place.column})`;
  }

  /** Of another file than the manifest's own, as that would call it. */
  #name(file: string | undefined): string | undefined {
    return file === undefined ? undefined : relative(folderOf(this.source), file);
  }

  /** @throws ManifestError when there are problems, in the order of their places. */
  throwIfAny(): void {
    if (this.#list.length === 0) return;
    const order = (a: Problem, b: Problem): number =>
      fileOrder(this.source, a) - fileOrder(this.source, b) ||
      (a.line ?? 0) - (b.line ?? 0) || (a.column ?? 0) - (b.column ?? 0);
    throw new ManifestError(this.#list.toSorted(order));
  }
}

/** The manifest's own file first. */
function fileOrder({ file, included = [] }: Source, problem: Problem): number {
  return problem.file === file ? -1 : included.indexOf(problem.file);
}
