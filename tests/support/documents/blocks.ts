/**
 * The blocks of code of a Markdown page, and what the page says about each in HTML comments before it.
 * CONTRIBUTING.md has the words.
 */
import { nearest } from "../../../runtime/values/nearest.ts";

/** What may be said of a block, and whether something has to follow after a colon. */
const MARKS = {
  file: "needed",
  hidden: "needed",
  copy: "needed",
  run: "optional",
  start: "optional",
  output: "none",
  "plugins elsewhere": "none",
  "not run": "needed",
  "not checked": "needed",
} as const;
export type Mark = keyof typeof MARKS;

/** Languages of what is not looked into. */
const PLAIN: ReadonlySet<string> = new Set(
  ["text", "console", "http", "ini", "toml", "yaml", "dockerfile", "diff", "nginx", "promql"],
);
const CHECKED: ReadonlySet<string> = new Set(["ts", "js", "json", "jsonc", "sh", "python"]);

/** A fenced block of code. */
export interface Block {
  /** Where its fence stands, from 1. */
  readonly line: number;
  readonly language: string;
  readonly code: string;
  /** What the page says of it. */
  readonly marks: Readonly<Partial<Record<Mark, string>>>;
}

/** A page's blocks, and what is wrong with the way in which they are marked. */
export interface Blocks {
  readonly blocks: readonly Block[];
  readonly faults: readonly string[];
}

const FENCE = /^( *)(`{3,})([\w-]*)[^\n]*\n([^]*?)^\1\2 *$/gm;
const COMMENT = /<!--\s*([^]*?)\s*-->/g;

function lineOf(text: string, at: number): number {
  return text.slice(0, at).split("\n").length;
}

/** The mark that a comment is, with what follows its colon. Other comments are nobody's affair. */
function markOf(comment: string): [string, string | undefined] {
  const [, word, rest] = /^([a-z]+(?: [a-z]+)?)(?::\s*([^]*))?$/.exec(comment) ?? [];
  return [word ?? "", rest];
}

/** Reads the blocks of a page. */
export function blocksOf(text: string): Blocks {
  const faults: string[] = [];
  const blocks: Block[] = [];
  let end = 0;
  for (const found of text.matchAll(FENCE)) {
    const [whole, indent, , language, body] = found;
    const line = lineOf(text, found.index);
    const marks: Partial<Record<Mark, string>> = {};
    const before = text.slice(end, found.index);
    // Only what stands directly before a block speaks of it.
    const near = /(?:<!--(?:(?!-->)[^])*-->\s*)+$/.exec(before)?.index ?? before.length;
    for (const comment of before.matchAll(COMMENT)) {
      const [word, rest] = markOf(comment[1]!);
      const known = Object.hasOwn(MARKS, word);
      if (comment.index < near) {
        if (known) {
          faults.push(
            `${lineOf(text, end + comment.index)}: <!-- ${word} --> stands before no block`,
          );
        }
      } else if (!known) {
        const meant = nearest(word, Object.keys(MARKS));
        if (meant !== undefined) faults.push(`${line}: <!-- ${word} -->: did you mean ${meant}?`);
      } else {
        const wants = MARKS[word as Mark];
        if (wants === "needed" && !rest) {
          faults.push(`${line}: <!-- ${word} --> lacks what follows its colon`);
        }
        if (wants === "none" && rest) faults.push(`${line}: <!-- ${word} --> takes nothing`);
        marks[word as Mark] = rest ?? "";
      }
    }
    const code = body!.replaceAll(new RegExp(`^${indent}`, "gm"), "");
    blocks.push({ line, language: language!, code, marks });
    faults.push(...faultsOf(language!, marks).map((fault) => `${line}: ${fault}`));
    end = found.index + whole.length;
  }
  return { blocks, faults };
}

function faultsOf(language: string, marks: Block["marks"]): string[] {
  const faults: string[] = [];
  if (!PLAIN.has(language) && !CHECKED.has(language)) {
    faults.push(
      `a block in ${language === "" ? "no language" : language}: one of ${
        [...CHECKED, ...PLAIN].join(", ")
      }`,
    );
  }
  const runs = ["run", "start", "not run"].filter((word) => word in marks);
  if (runs.length > 1) faults.push(`${runs.join(" and ")} at once`);
  if (runs.length > 0 && language !== "sh") faults.push(`<!-- ${runs[0]} --> is of a block in sh`);
  if ("output" in marks && language !== "text") {
    faults.push("<!-- output --> is of a block in text");
  }
  return faults;
}
