/** The versions of runtimes that Portico runs on; package.json says the same. */
import process from "node:process";

/** The oldest of each, by its name in `process.versions`. Bun and Deno have `node` there, too, so it comes last. */
export const ENGINES: Readonly<Record<string, string>> = { bun: "1.4", deno: "2.9", node: "24" };

/** Why this runtime is too old, in one block for people; undefined where it is not. */
export function tooOld(
  versions: Readonly<Record<string, string | undefined>> = process.versions,
): string | undefined {
  const [name, oldest] = Object.entries(ENGINES).find(([name]) => versions[name] !== undefined)!;
  const [received, needed] = [versions[name]!, oldest].map((text) => text.split(".").map(Number));
  const first = needed!.findIndex((part, index) => received![index] !== part);
  if (first < 0 || received![first]! > needed![first]!) return undefined;
  const all = Object.entries(ENGINES).map(([name, version]) => `${name} ${version}`).join(", ");
  const rows = `  received  ${name} ${versions[name]}\n  expected  ${all}, or later\n`;
  return `error: this runtime is too old\n\n${rows}`;
}
