import { type Code, CODES, PorticoError } from "../core/errors.ts";

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

/**
 * Writes problems as blocks of a few lines, with an empty line between them:
 *
 * ```text
 * portico.json:6:17  services.echo.limits.idle
 *   received  "60 parsecs"
 *   expected  a duration: "250ms", "30s", "5m", "1h" or milliseconds
 * ```
 *
 * @param folder files below it are named relative to it.
 */
export function renderProblems(problems: readonly Problem[], folder?: string): string {
  return problems.map((problem) => {
    const path = formatPath(problem.path);
    return `${placeOf(problem, folder)}${path === "" ? "" : `  ${path}`}\n${renderRows(problem)}`;
  }).join("\n\n");
}

/** The same for records, which are a line each: `portico.json:6:17 services.echo.limits.idle: received …`. */
export function problemLines(error: PorticoError): string[] {
  if (!(error instanceof ManifestError)) return [oneLine(error.message)];
  return error.problems.map((problem) => {
    const { path, received, expected, hint } = problem;
    const place = `${placeOf(problem, undefined)} ${formatPath(path)}`.trimEnd();
    return oneLine(
      `${place}: received ${received}, expected ${expected}${
        hint === undefined ? "" : `; ${hint}`
      }`,
    );
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
  const inside = folder !== undefined && file.startsWith(`${folder}/`);
  const name = inside ? file.slice(folder.length + 1) : file;
  return line === undefined ? name : `${name}:${line}:${column}`;
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
