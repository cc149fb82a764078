import { ManifestError, type Path, type Position, type Problem, show } from "../values/problem.ts";
import { DEPTH_EXPECTED, DEPTH_MAX } from "./depth.ts";
import { JsonFault, JsonText, type Node } from "./json-text.ts";
import type { Part, Source } from "./source.ts";

/** Keys that no JavaScript object can hold without harm, or that schemas leave out silently. */
const FORBIDDEN = new Set(["__proto__", "constructor", "prototype"]);

/**
 * Reads JSON with comments and trailing commas.
 *
 * @throws ManifestError for the first syntax error (those after it are mostly its echo), and for keys
 * that stand twice in one object.
 */
export function parseJsonc(text: string, file: string): Source {
  const content = text.replace(/^\uFEFF/, "");
  const lines = lineStarts(content);
  const at = (offset: number): Position => positionOf(lines, offset);
  const problems: Problem[] = [];
  const json = new JsonText(
    content,
    DEPTH_MAX,
    DEPTH_EXPECTED,
    (key, { key: offset }, earlier, path) => {
      const forbidden = FORBIDDEN.has(key);
      if (!forbidden && earlier === undefined) return;
      problems.push({
        code: "MANIFEST_SYNTAX",
        file,
        ...at(offset!),
        path: [...path],
        received: `the key ${show(key)}${forbidden ? "" : " a second time"}`,
        expected: forbidden ? "another name" : "each key once in an object",
      });
    },
  );
  let root: Node;
  try {
    root = json.read();
  } catch (fault) {
    if (!(fault instanceof JsonFault)) throw fault;
    throw new ManifestError([syntaxProblem(content, file, fault, at)]);
  }
  if (problems.length > 0) throw new ManifestError(problems);
  return { file, value: root.value, locate: (path, part) => at(offsetOf(root, path, part)) };
}

function syntaxProblem(
  content: string,
  file: string,
  { offset, length, message }: JsonFault,
  at: (offset: number) => Position,
): Problem {
  const token = content.slice(offset, offset + Math.max(length, 1)).trim();
  const empty = /^(?:\s|\/\/.*|\/\*[^]*?\*\/)*$/.test(content);
  const received = message === DEPTH_EXPECTED
    ? `level ${DEPTH_MAX + 1}`
    : empty
    ? "an empty file"
    : token === ""
    ? "the end of the file"
    : show(token);
  return {
    code: "MANIFEST_SYNTAX",
    file,
    ...at(offset),
    path: [],
    received,
    expected: empty ? 'a manifest: { "services": { … } }' : message,
  };
}

/** Where a value, or its key, begins; of what is not there, the nearest around it. */
function offsetOf(root: Node, path: Path, part: Part): number {
  let node = root;
  for (const [index, key] of path.entries()) {
    const inner = node.inner?.get(key);
    if (inner === undefined) return node.offset;
    node = inner;
    if (part === "key" && index === path.length - 1 && node.key !== undefined) return node.key;
  }
  return node.offset;
}

function lineStarts(text: string): number[] {
  const starts = [0];
  for (let at = text.indexOf("\n"); at !== -1; at = text.indexOf("\n", at + 1)) starts.push(at + 1);
  return starts;
}

function positionOf(starts: readonly number[], offset: number): Position {
  const line = starts.findLastIndex((start) => start <= offset);
  return { line: line + 1, column: offset - starts[line]! + 1 };
}
