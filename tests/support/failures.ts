/** What the runners of the runtimes print of a test that has failed: found in their output. */

export interface Failure {
  readonly name: string;
  /** The error: what it says, and where. */
  readonly lines: readonly string[];
}

export type FailureReader = (lines: readonly string[]) => Failure[];

/** So many lines of one failure are told: of what was not expected, and of where that was. */
const [FIRST, LAST] = [28, 12];

/** What is left out of lines that are too many. */
export function bounded(lines: readonly string[], first: number = FIRST): string[] {
  const most = FIRST + LAST;
  if (lines.length <= most) return [...lines];
  const rest = `… ${lines.length - most} lines …`;
  return [...lines.slice(0, first), rest, ...lines.slice(first - most)];
}

/**
 * TAP: `not ok 3 - NAME`, and a block of YAML in which the error stands. A suite fails for its tests; of a
 * file that ended by itself the lines before it tell why.
 */
export function tapFailures(lines: readonly string[]): Failure[] {
  return lines.flatMap((line, at) => {
    const [, indent = "", name] = /^(\s*)not ok \d+ - (.*)$/.exec(line) ?? [];
    if (name === undefined || / # (?:SKIP|TO[D]O)\b/.test(name)) return [];
    if (lines[at + 1] !== `${indent}  ---`) return [];
    const end = lines.indexOf(`${indent}  ...`, at);
    const block = withoutValues(
      lines.slice(at + 2, end < 0 ? undefined : end).map((text) => text.slice(indent.length + 2)),
    );
    if (block.includes("failureType: 'subtestsFailed'")) return [];
    const ended = block.some((text) => text.startsWith("exitCode: "));
    const before = ended ? lines.slice(Math.max(0, at - 30), at) : [];
    return [{ name, lines: bounded([...before, ...block]) }];
  });
}

/** The error says by what the values differ. */
function withoutValues(block: readonly string[]): string[] {
  let inside = false;
  return block.filter((line) => {
    if (!line.startsWith(" ")) inside = /^(?:expected|actual):/.test(line);
    return !inside;
  });
}

/** Bun: the error, then `(fail) NAME`. Errors of no test stand between two lines. */
export function bunFailures(lines: readonly string[]): Failure[] {
  const found: Failure[] = [];
  let file = "";
  let start = 0;
  for (const [at, line] of lines.entries()) {
    // Here the names come once more.
    if (/^\s*\d+ tests? (?:failed|skipped):$/.test(line)) break;
    const [, name] = /^\(fail\) (.*) \[[\d.]+m?s\]$/.exec(line) ?? [];
    if (name !== undefined) {
      const block = lines.slice(start, at);
      const error = block.findLastIndex((text) => /^(?:\w*Error|error)\b.*:/.test(text));
      const told = error < 0 ? bounded(block, 0) : bounded(block.slice(Math.max(0, error - 2)));
      found.push({ name: `${file}: ${name}`, lines: told });
    }
    if (line.startsWith("# Unhandled error")) {
      const end = lines.findIndex((text, each) => each > at + 1 && /^-{9,}$/.test(text));
      found.push({
        name: `${file}: between tests`,
        lines: bounded(lines.slice(at + 2, end < 0 ? undefined : end)),
      });
    }
    const [, path] = /^(\S+_test\.ts):$/.exec(line) ?? [];
    if (path !== undefined) file = path;
    if (path !== undefined || /^\((?:pass|fail|skip|todo)\) /.test(line)) start = at + 1;
  }
  return found;
}

/** Deno: a chapter of errors behind the tests, then their names alone. */
export function denoFailures(lines: readonly string[]): Failure[] {
  const begin = lines.lastIndexOf(" ERRORS ");
  if (begin < 0) return [];
  const end = lines.indexOf(" FAILURES ", begin);
  const chapter = lines.slice(begin + 1, end < 0 ? undefined : end);
  const heads = chapter.flatMap((line, at) =>
    / => \S+:\d+:\d+$/.test(line) || line.endsWith(" (uncaught error)") ? [at] : []
  );
  return heads.map((at, nth) => ({
    name: chapter[at]!,
    lines: bounded(chapter.slice(at + 1, heads[nth + 1])),
  }));
}
