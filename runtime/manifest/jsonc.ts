import {
  findNodeAtLocation,
  type Node,
  type ParseError,
  parseTree,
  printParseErrorCode,
} from "jsonc-parser";
import { ManifestError, type Path, type Position, type Problem, show } from "../values/problem.ts";
import { DEPTH_EXPECTED, DEPTH_MAX, offsetTooDeep } from "./depth.ts";
import type { Part, Source } from "./source.ts";

/** What each syntax error of jsonc-parser wants to see instead. */
const EXPECTED: Record<string, string> = {
  InvalidSymbol: "a value: text in double quotes, a number, true, false, null, { or [",
  InvalidNumberFormat: "a number as JSON writes it",
  PropertyNameExpected: "a key in double quotes",
  ValueExpected: "a value: text in double quotes, a number, true, false, null, { or [",
  ColonExpected: "a colon after the key",
  CommaExpected: "a comma between two entries",
  CloseBraceExpected: "a closing }",
  CloseBracketExpected: "a closing ]",
  EndOfFileExpected: "nothing after the manifest's closing }",
  InvalidCommentToken: "a comment of the form // or /* */",
  UnexpectedEndOfComment: "*/ at the end of the comment",
  UnexpectedEndOfString: 'a closing " on the same line',
  UnexpectedEndOfNumber: "digits after the sign, the point or the exponent",
  InvalidUnicode: "four hexadecimal digits after \\u",
  InvalidEscapeCharacter: 'one of \\" \\\\ \\/ \\b \\f \\n \\r \\t \\uXXXX',
  InvalidCharacter: "no control characters: write \\t, \\n or \\uXXXX",
};

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
  const deep = offsetTooDeep(content);
  if (deep !== undefined) {
    const received = `level ${DEPTH_MAX + 1}`;
    const problem = { file, ...at(deep), path: [], received, expected: DEPTH_EXPECTED };
    throw new ManifestError([{ code: "MANIFEST_SYNTAX", ...problem }]);
  }
  const errors: ParseError[] = [];
  const root = parseTree(content, errors, { allowTrailingComma: true });
  const first = errors[0];
  if (root === undefined || first !== undefined) {
    throw new ManifestError([syntaxProblem(content, file, first, at)]);
  }
  const problems: Problem[] = [];
  const value = valueOf(root, (node, path, received, expected) => {
    problems.push({
      code: "MANIFEST_SYNTAX",
      file,
      ...at(node.offset),
      path,
      received,
      expected,
    });
  });
  if (problems.length > 0) throw new ManifestError(problems);
  return { file, value, locate: (path, part) => at(nodeAt(root, path, part).offset) };
}

function syntaxProblem(
  content: string,
  file: string,
  error: ParseError | undefined,
  at: (offset: number) => Position,
): Problem {
  const offset = error?.offset ?? 0;
  const token = content.slice(offset, offset + Math.max(error?.length ?? 0, 1)).trim();
  const empty = /^(?:\s|\/\/.*|\/\*[^]*?\*\/)*$/.test(content);
  return {
    code: "MANIFEST_SYNTAX",
    file,
    ...at(offset),
    path: [],
    received: empty ? "an empty file" : token === "" ? "the end of the file" : show(token),
    expected: empty
      ? 'a manifest: { "services": { … } }'
      : EXPECTED[error === undefined ? "ValueExpected" : printParseErrorCode(error.error)] ??
        "JSON",
  };
}

type AddProblemAt = (node: Node, path: Path, received: string, expected: string) => void;

function valueOf(node: Node, addProblem: AddProblemAt, path: Path = []): unknown {
  if (node.type === "array") {
    return (node.children ?? []).map((child, index) =>
      valueOf(child, addProblem, [...path, index])
    );
  }
  if (node.type !== "object") return node.value;
  const object: Record<string, unknown> = {};
  for (const property of node.children ?? []) {
    const [keyNode, child] = property.children ?? [];
    if (keyNode === undefined || child === undefined) continue;
    const key = String(keyNode.value);
    const inner = [...path, key];
    if (FORBIDDEN.has(key)) addProblem(keyNode, inner, `the key ${show(key)}`, "another name");
    else if (Object.hasOwn(object, key)) {
      addProblem(
        keyNode,
        inner,
        `the key ${show(key)} a second time`,
        "each key once in an object",
      );
    } else object[key] = valueOf(child, addProblem, inner);
  }
  return object;
}

function nodeAt(root: Node, path: Path, part: Part): Node {
  for (let length = path.length; length > 0; length--) {
    const node = findNodeAtLocation(root, path.slice(0, length));
    if (node === undefined) continue;
    const named = part === "key" && length === path.length && node.parent?.type === "property";
    return named ? node.parent!.children![0]! : node;
  }
  return root;
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
