/** Compiles what the package has into dist/, and copies what is not compiled: `npm run build`. */
import { execFileSync } from "node:child_process";
import { chmodSync, cpSync, globSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { bundle } from "./bundle.ts";
import { manPage } from "./man.ts";
import { declarationsOf, type PackageJson, published } from "./published.ts";

const root = fileURLToPath(new URL("..", import.meta.url).href);
const dist = join(root, "dist");

rmSync(dist, { recursive: true, force: true });
const tsc = join(root, "node_modules/typescript/bin/tsc");
const compile = (...words: readonly string[]): void => {
  const all = [tsc, "-p", join(root, "packaging/tsconfig.json"), ...words];
  execFileSync(process.execPath, all, { stdio: "inherit" });
};
// Declarations have their comments, which editors show; of code they are half of what is read at a start.
compile("--emitDeclarationOnly");
compile("--declaration", "false", "--removeComments");

for (const file of globSync("**/*.{js,d.ts}", { cwd: dist })) {
  const text = readFileSync(join(dist, file), "utf8");
  const compiled = file.endsWith(".js") ? withUrls(text) : withSpecifiers(text);
  if (compiled !== text) writeFileSync(join(dist, file), compiled);
}

await bundle(dist, join(root, "node_modules"));

const assets = globSync("{runtime,adapters,plugins}/**/*.*", { cwd: root })
  .filter((file) => !file.endsWith(".ts"));
for (const file of assets) cpSync(join(root, file), join(dist, file));
// What `portico new` writes is TypeScript in the hands of its author.
cpSync(join(root, "templates"), join(dist, "templates"), { recursive: true });

const json = published(JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as PackageJson);
const needed = new Set(declarationsOf(json.exports, root));
for (const file of globSync("dist/**/*.d.ts", { cwd: root })) {
  if (!needed.has(file)) rmSync(join(root, file));
}
for (const file of Object.values(json.bin)) chmodSync(join(root, file), 0o755);

// Whoever builds it again gets the same, where the time is given.
const { SOURCE_DATE_EPOCH } = process.env;
const date = new Date(
  SOURCE_DATE_EPOCH === undefined ? Date.now() : 1000 * Number(SOURCE_DATE_EPOCH),
);
writeFileSync(join(root, json.man), manPage(json.version, date));

/** Modules that are started by URL, workers for one, are compiled too; tsc leaves their URLs as they are. */
function withUrls(text: string): string {
  return text.replaceAll(/(new URL\("\.{1,2}\/[^"]+)\.ts(", import\.meta\.url\))/g, "$1.js$2");
}

/** tsc leaves `.ts` in declarations, which readers of declarations beside tsc do not all take. */
function withSpecifiers(text: string): string {
  return text.replaceAll(/((?:from |import |import\()"\.{1,2}\/[^"]+)\.ts"/g, '$1.js"');
}
