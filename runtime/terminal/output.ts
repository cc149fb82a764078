import process from "node:process";
import { messageOf, PorticoError } from "../core/errors.ts";

/**
 * Writes to standard output; resolves when it is out, or when nobody reads it any more.
 *
 * @throws PorticoError where it cannot be written, as on a disk that is full.
 */
export async function print(text: string): Promise<void> {
  const error = await put(process.stdout, text);
  if (error == null || /EPIPE|STREAM_DESTROYED/.test(`${(error as { code?: unknown }).code}`)) {
    return;
  }
  const message = `standard output cannot be written: ${messageOf(error)}`;
  throw new PorticoError("SINK_FAILED", message, { cause: error });
}

/** Writes to standard error; where that cannot be, nobody is left to be told. */
export async function printError(text: string): Promise<void> {
  await put(process.stderr, text);
}

/** A value as JSON for programs: one line, as everything that `--json` prints. */
export function printJson(value: unknown): Promise<void> {
  return print(`${JSON.stringify(value)}\n`);
}

/** Resolves with why it is not out. */
function put(stream: NodeJS.WriteStream, text: string): Promise<unknown> {
  return new Promise((resolve) => {
    stream.once("error", resolve);
    try {
      stream.write(text, (error) => {
        // Of a failure the stream itself tells later, to nobody else.
        if (error == null) stream.off("error", resolve);
        resolve(error);
      });
    } catch (error) {
      resolve(error);
    }
  });
}

/** Rows as columns, each as wide as its widest cell, two spaces between. */
export function columns(rows: readonly (readonly string[])[], indent = ""): string {
  const widths: number[] = [];
  for (const row of rows) {
    for (const [column, cell] of row.entries()) {
      widths[column] = Math.max(widths[column] ?? 0, cell.length);
    }
  }
  return rows.map((row) => {
    const cells = row.map((cell, column) => cell.padEnd(widths[column]!));
    return `${indent}${cells.join("  ")}`.trimEnd() + "\n";
  }).join("");
}
