/** What those who install the package will find, asked of publint, attw and JSR: `npm run check:package`. */
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { entriesOf, type PackageJson, published } from "./published.ts";
import { copySources } from "./sources.ts";

const root = fileURLToPath(new URL("..", import.meta.url).href);
const folder = mkdtempSync(join(tmpdir(), "portico-package-"));
process.once("exit", () => rmSync(folder, { recursive: true, force: true }));

const run = (cwd: string, program: string, ...words: readonly string[]): string => {
  const { status, stdout, stderr } = spawnSync(program, words, { cwd, encoding: "utf8" });
  if (status === 0) return stdout;
  console.error(`${[program, ...words].join(" ")}\n${stdout}${stderr}`);
  process.exit(1);
};

const tree = join(folder, "tree");
mkdirSync(tree);
copySources(tree);
const out = run(
  tree,
  "npm",
  "pack",
  "--json",
  "--foreground-scripts=false",
  "--pack-destination",
  folder,
);
const [packed] = Object.values(JSON.parse(out) as Record<string, Packed>);
const { filename, size, unpackedSize, files } = packed!;
const tarball = join(folder, filename);
run(root, "publint", "run", "--strict", tarball);
const text = readFileSync(join(root, "package.json"), "utf8");
const entries = entriesOf(published(JSON.parse(text) as PackageJson).exports, tree);
const names = Object.keys(entries).filter((name) => !name.includes("*"));
// Portico is ESM alone: what CommonJS of before Node 22 makes of it is no question.
run(root, "attw", tarball, "--profile", "esm-only", "--no-emoji", "--entrypoints", ...names);
run(root, "deno", "publish", "--dry-run", "--allow-dirty", "--quiet");
console.log(`${filename}: ${size} bytes, ${unpackedSize} unpacked, ${files.length} files`);

interface Packed {
  readonly filename: string;
  readonly size: number;
  readonly unpackedSize: number;
  readonly files: readonly unknown[];
}
