import { type Code, CODES, PorticoError } from "../core/errors.ts";
import { codeFrame } from "./code-frame.ts";

/** Where something stands in a manifest: keys and indices, from the root. */
export type Path = readonly (string | number)[];

/** A place in a text; both count from 1. */
export interface Position {
  readonly line: number;
  readonly column: number;
}

/** One thing that is wrong with a manifest. */
export interface Problem {
  readonly code: Code;
  /** Absolute; or what else the place is called, as `serve()` and `--set upper`. */
  readonly file: string;
  /** Absent where the manifest is a module, whose values have no place in a text. */
  readonly line?: number;
  readonly column?: number;
  readonly path: Path;
  /** What stands there. */
  readonly received: string;
  /** What would be right. */
  readonly expected: string;
  /** What was probably meant, or what helps. */
  readonly hint?: string;
  /** Where in the code of a plugin it is; lines and columns count from 1. */
  readonly source?: SourcePlace;
}

/** A place in code. */
export interface SourcePlace {
  /** Absolute, or an http URL. */
  readonly file: string;
  readonly line?: number;
  readonly column?: number;
}

/** Everything that is wrong with one manifest. Its message is {@link renderProblems} of the problems. */
export class ManifestError extends PorticoError {
  readonly problems: readonly Problem[];

  /** @param problems at least one; the first one's code is the error's. */
  constructor(problems: readonly Problem[], options?: { cause?: unknown }) {
    super(problems[0]!.code, renderProblems(problems), options);
    this.problems = problems;
  }
}

/** The headline of an error: what is wrong, and how often. */
export function headline(problems: readonly Problem[]): string {
  const count = problems.length === 1 ? "" : ` (${problems.length} problems)`;
  return `${CODES[problems[0]!.code][1]}${count}`;
}

/** What a block of problems shows. */
export interface ProblemView {
  /** Files below it are named relative to it. */
  readonly folder?: string | undefined;
  /** With a few lines of the code that is at fault. */
  readonly frames?: boolean;
}

/**
 * Writes problems as blocks of a few lines, with an empty line between them:
 *
 * ```text
 * portico.json:6:17  services.echo.limits.idle
 *   received  "60 parsecs"
 *   expected  a duration: "250ms", "30s", "5m", "1h" or milliseconds
 * ```
 */
export function renderProblems(problems: readonly Problem[], view: ProblemView = {}): string {
  return problems.map((problem) => {
    const path = formatPath(problem.path);
    const head = `${placeOf(problem, view.folder)}${path === "" ? "" : `  ${path}`}`;
    return `${head}\n${problemRows(problem, view)}`;
  }).join("\n\n");
}

/** The lines below a problem's place: its rows, and the code. */
export function problemRows(problem: Problem, { folder, frames }: ProblemView = {}): string {
  const { source } = problem;
  if (source === undefined) return renderRows(problem);
  const place = atOf(problem);
  const row = place === undefined ? "" : `\n  at        ${shorten(place, folder)}`;
  const frame = frames === true ? codeFrame(source) : undefined;
  const code = frame === undefined ? "" : `\n\n${frame.replace(/^/gm, "  ")}`;
  return `${renderRows(problem)}${row}${code}`;
}

/** Where in the code it is; undefined where that has been said. */
function atOf({ source, file, line, expected }: Problem): string | undefined {
  if (source === undefined || (source.file === file && source.line === line)) return undefined;
  const at = textOfPlace(source);
  return expected.includes(at) ? undefined : at;
}

function textOfPlace({ file, line, column }: SourcePlace): string {
  return [file, line, column].filter((part) => part !== undefined).join(":");
}

/**
 * The same as fields of records, one for each problem: a `message` of one line, `at` of the plugin's code, and
 * for those who show blocks the `problem` itself.
 */
export function problemFields(error: PorticoError): Record<string, unknown>[] {
  if (!(error instanceof ManifestError)) {
    const { message, hint, at } = error;
    const text = hint === undefined ? message : `${message}; ${hint}`;
    return [{ code: error.code, message: oneLine(text), ...(at !== undefined && { at }) }];
  }
  return error.problems.map(({ source, code, ...problem }) => {
    const { received, expected, hint } = problem;
    const path = formatPath(problem.path);
    const place = `${placeOf({ ...problem, code }, undefined)} ${path}`.trimEnd();
    const message = `${place}: received ${received}, expected ${expected}${
      hint === undefined ? "" : `; ${hint}`
    }`;
    const at = source === undefined ? undefined : textOfPlace(source);
    return {
      code,
      message: oneLine(message),
      problem: { ...problem, path },
      ...(at !== undefined && { at }),
    };
  });
}

function oneLine(text: string): string {
  return text.replace(/\s*\n\s*/g, " ");
}

/** The lines below a problem's place. */
export function renderRows(
  { received, expected, hint }: Pick<Problem, "received" | "expected" | "hint">,
): string {
  return [
    `  received  ${indent(received)}`,
    `  expected  ${indent(expected)}`,
    ...(hint === undefined ? [] : [`  hint      ${indent(hint)}`]),
  ].join("\n");
}

function placeOf({ file, line, column }: Problem, folder: string | undefined): string {
  const name = shorten(file, folder);
  return line === undefined ? name : `${name}:${line}:${column}`;
}

function shorten(file: string, folder: string | undefined): string {
  return folder !== undefined && file.startsWith(`${folder}/`)
    ? file.slice(folder.length + 1)
    : file;
}

function indent(text: string): string {
  return text.replaceAll("\n", "\n            ");
}

/** `services.echo.listen[0]`; what is no plain word is quoted: `services["a b"]`. */
export function formatPath(path: Path): string {
  let text = "";
  for (const part of path) {
    if (typeof part === "number") text += `[${part}]`;
    else if (!/^[\w$-]+$/.test(part)) text += `[${JSON.stringify(part)}]`;
    else text += text === "" ? part : `.${part}`;
  }
  return text;
}

/** What stands at a path; undefined where nothing does. */
export function dig(value: unknown, path: Path): unknown {
  let inner = value;
  for (const key of path) {
    inner = (inner as Record<string | number, unknown> | null | undefined)?.[key];
  }
  return inner;
}

/** A value as one short line of JSON, for people. */
export function show(value: unknown): string {
  if (value === undefined) return "nothing";
  let text: string | undefined;
  try {
    text = JSON.stringify(value);
  } catch {
    // Modules can export what JSON cannot hold: cycles, bigints.
  }
  text ??= typeof value === "function" ? "a function" : String(value);
  if (typeof value === "number" && !Number.isFinite(value)) text = String(value);
  return text.length > 100 ? `${text.slice(0, 99)}…` : text;
}
