/** What stands below the line of an error, for people: what was received and expected, and the code. */
import { parsePlace } from "../core/frames.ts";
import type { LogRecord } from "../core/record.ts";
import { codeFrame } from "../values/code-frame.ts";
import { type Problem, renderRows } from "../values/problem.ts";
import { escape } from "./invisible.ts";
import { describeRecord } from "./words.ts";

/** What a record says of something that is wrong with a manifest. */
type RecordedProblem = Omit<Problem, "code" | "path" | "source"> & { readonly path: string };

/** Places whose code is remembered to have been shown. */
const SHOWN_MAX = 100;

/**
 * Makes the words of records for a console: most are a line, errors may be a block. Its further lines are
 * indented, so that none can pass for a record.
 *
 * @param frames shows code: once for each place, until something is loaded anew.
 */
export function consoleWords(frames: boolean): (record: LogRecord) => string {
  const shown = new Set<string>();
  return (record) => {
    if (record.event === "reload") shown.clear();
    if (record.event !== "error") return describeRecord(record);
    const { problem, ...rest } = record;
    const text = problem === undefined ? describeRecord(record) : describeProblem(rest, problem);
    const at = record["at"];
    if (!frames || typeof at !== "string" || shown.has(at)) return text;
    if (shown.size >= SHOWN_MAX) shown.clear();
    shown.add(at);
    const code = codeFrame(parsePlace(at));
    return code === undefined ? text : `${text}\n${below(code)}`;
  };
}

function describeProblem(record: LogRecord, value: unknown): string {
  const problem = value as RecordedProblem;
  const { file, line, column, path } = problem;
  const place = [file, line, column].filter((part) => part !== undefined).join(":");
  return `${describeRecord({ ...record, message: `${place} ${path}`.trim() })}\n${
    below(renderRows(problem), "  ")
  }`;
}

function below(text: string, indent = "    "): string {
  return text.split("\n").map((line) => `${indent}${escape(line)}`).join("\n");
}
