/**
 * Around `npm pack` and `npm publish`, which take package.json as it lies there: `prepack` builds and
 * puts the one of the package in its place, `postpack` puts ours back.
 */
import { existsSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { type PackageJson, published } from "./published.ts";

const FILE = fileURLToPath(new URL("../package.json", import.meta.url).href);
const OURS = `${FILE}.source`;

// One that did not come to its end has left ours.
if (existsSync(OURS)) renameSync(OURS, FILE);
if (process.argv[2] === "prepack") {
  await import("./build.ts");
  const text = readFileSync(FILE, "utf8");
  const json = published(JSON.parse(text) as PackageJson);
  writeFileSync(OURS, text);
  writeFileSync(FILE, `${JSON.stringify(json, undefined, 2)}\n`);
}
