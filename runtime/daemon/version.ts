import { existsSync, readFileSync } from "node:fs";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { embeddedVersion } from "../modules/embedded.ts";

/** Portico's version, of its package.json: two folders up, or three where this is compiled. */
export function version(): string {
  const inside = embeddedVersion();
  if (inside !== undefined) return inside;
  const places = ["../../package.json", "../../../package.json"]
    .map((path) => fileURLToPath(new URL(path, import.meta.url).href));
  const text = readFileSync(places.find(existsSync) ?? places[0]!, "utf8");
  return (JSON.parse(text) as { version: string }).version;
}

/** The runtime with its version, for people: `node 26.10.0`. */
export function runtime(): string {
  const { bun, deno, node } = process.versions;
  if (bun !== undefined) return `bun ${bun}`;
  return deno !== undefined ? `deno ${deno}` : `node ${node}`;
}
