import type { Code } from "../core/errors.ts";
import { ManifestError, type Path, type Position, type Problem } from "../values/problem.ts";

/** Whether a key or its value is meant. */
export type Part = "key" | "value";

/** What may be said of a problem beside the rest. */
export interface Remarks {
  /** MANIFEST_INVALID when silent. */
  readonly code?: Code;
  /** The value when silent. */
  readonly part?: Part;
  readonly hint?: string | undefined;
}

/** A manifest as it was read: values, and where they stand. */
export interface Source {
  /** Absolute. */
  readonly file: string;
  readonly value: unknown;
  /** Where a value or its key stands; the nearest enclosing value when it is not there. */
  locate(path: Path, part: Part): Position | undefined;
}

/** Gathers the problems of one manifest, so that all of them are told at once. */
export class Report {
  readonly source: Source;
  readonly problems: Problem[] = [];

  constructor(source: Source) {
    this.source = source;
  }

  add(
    path: Path,
    received: string,
    expected: string,
    { code = "MANIFEST_INVALID", part = "value", hint }: Remarks = {},
  ): void {
    this.problems.push({
      code,
      file: this.source.file,
      ...this.source.locate(path, part),
      path,
      received,
      expected,
      ...(hint !== undefined && { hint }),
    });
  }

  /** `portico.json:5:17` without the folder, for one problem that points at another place. */
  place(path: Path): string {
    const position = this.source.locate(path, "value");
    return position === undefined ? "" : ` (${position.line}:${position.column})`;
  }

  /** @throws ManifestError when there are problems, in the order of their places. */
  throwIfAny(): void {
    if (this.problems.length === 0) return;
    const order = (a: Problem, b: Problem): number =>
      (a.line ?? 0) - (b.line ?? 0) || (a.column ?? 0) - (b.column ?? 0);
    throw new ManifestError(this.problems.toSorted(order));
  }
}
