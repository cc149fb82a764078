/** The pages that readers have: README.md, and the guide and reference in docs/. */
import { globSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { type Blocks, blocksOf } from "./blocks.ts";

const ROOT = fileURLToPath(new URL("../../..", import.meta.url).href);

export interface DocumentPage extends Blocks {
  /** Its path in the repository. */
  readonly name: string;
  readonly text: string;
}

/** All of them. */
export function pages(): readonly DocumentPage[] {
  const found = globSync(["README.md", "docs/*.md", "docs/{guide,reference}/**/*.md"], {
    cwd: ROOT,
  });
  return found.map((name) => name.replaceAll("\\", "/")).sort().map((name) => {
    const text = readFileSync(`${ROOT}${name}`, "utf8");
    return { name, text, ...blocksOf(text) };
  });
}
