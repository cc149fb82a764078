import process from "node:process";
import { fileURLToPath } from "node:url";

/** The entry of Portico's own command. */
export const MAIN: string = fileURLToPath(new URL("../runtime/main.ts", import.meta.url).href);

/** The program and the words that run a script on the runtime that runs the tests. */
export function command(script: string, ...words: string[]): [string, string[]] {
  const flags = process.versions.deno === undefined
    ? []
    : ["run", "-A", "--no-check", "--unstable-net"];
  return [process.execPath, [...flags, script, ...words]];
}
