import process from "node:process";

/** Writes to standard output; resolves when it is out, or when nobody reads it any more. */
export function print(text: string): Promise<void> {
  return put(process.stdout, text);
}

/** Writes to standard error, likewise. */
export function printError(text: string): Promise<void> {
  return put(process.stderr, text);
}

/** A value as JSON for programs: one line, as everything that `--json` prints. */
export function printJson(value: unknown): Promise<void> {
  return print(`${JSON.stringify(value)}\n`);
}

function put(stream: NodeJS.WriteStream, text: string): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      stream.off("error", done);
      resolve();
    };
    stream.once("error", done);
    stream.write(text, done);
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
