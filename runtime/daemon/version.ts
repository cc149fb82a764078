import { readFileSync } from "node:fs";
import process from "node:process";
import { fileURLToPath } from "node:url";

/** Portico's version, of its package.json. */
export function version(): string {
  const file = fileURLToPath(new URL("../../package.json", import.meta.url).href);
  const text = readFileSync(file, "utf8");
  return (JSON.parse(text) as { version: string }).version;
}

/** The runtime with its version, for people: `node 26.10.0`. */
export function runtime(): string {
  const { bun, deno, node } = process.versions;
  if (bun !== undefined) return `bun ${bun}`;
  return deno !== undefined ? `deno ${deno}` : `node ${node}`;
}
