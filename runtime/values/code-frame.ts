/** A few lines of code around a place, for people who look at a terminal. */
import { readFileSync, statSync } from "node:fs";

/** Lines above and below. */
const AROUND = 2;

/** Files above so many bytes are not read for it. */
const READ_MAX = 1024 * 1024;

/** Characters of a line that are shown. */
const WIDTH = 100;

/**
 * The code around a place in a file:
 *
 * ```text
 *   1 | // The keys.
 * > 2 | import { kv } from "./kv";
 *     |                    ^
 * ```
 *
 * @returns undefined when the file cannot be read, or has no such line.
 */
export function codeFrame(
  { file, line, column }: { file: string; line?: number; column?: number },
): string | undefined {
  const lines = line === undefined ? [] : linesOf(file);
  if (line === undefined || line < 1 || line > lines.length) return undefined;
  const first = Math.max(1, line - AROUND);
  const last = Math.min(lines.length, line + AROUND);
  const digits = String(last).length;
  // What is far to the right is shown from shortly before it.
  const from = column === undefined || column < WIDTH - 10 ? 0 : column - WIDTH / 2;
  const rows: string[] = [];
  for (let number = first; number <= last; number++) {
    const text = shown(lines[number - 1]!).slice(from, from + WIDTH);
    rows.push(
      `${number === line ? ">" : " "} ${String(number).padStart(digits)} | ${text}`.trimEnd(),
    );
    if (number === line && column !== undefined) {
      rows.push(`  ${" ".repeat(digits)} | ${" ".repeat(Math.max(0, column - 1 - from))}^`);
    }
  }
  return rows.join("\n");
}

function linesOf(file: string): readonly string[] {
  try {
    const size = statSync(file, { throwIfNoEntry: false })?.size ?? Infinity;
    return size > READ_MAX ? [] : readFileSync(file, "utf8").split(/\r?\n/);
  } catch {
    return [];
  }
}

/** A tab is one place wide, and nothing moves the cursor. */
function shown(line: string): string {
  return line.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, " ");
}
