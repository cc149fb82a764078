import process from "node:process";
import { fileURLToPath } from "node:url";

/** The entry of Portico's own command. */
export const MAIN: string = fileURLToPath(new URL("../../runtime/main.ts", import.meta.url).href);

/** The runtimes that come with the development dependencies. */
const PROGRAMS = { node: "node/bin/node", bun: ".bin/bun", deno: ".bin/deno" } as const;
export type Runtime = keyof typeof PROGRAMS;
export const RUNTIMES = Object.keys(PROGRAMS) as readonly Runtime[];

const DENO = ["run", "-A", "--no-check", "--unstable-net"];

/** The program and the words that run a script on the runtime that runs the tests. */
export function command(script: string, ...words: string[]): [string, string[]] {
  const flags = process.versions.deno === undefined ? [] : DENO;
  return [process.execPath, [...flags, script, ...words]];
}

/** The same, on a runtime that is named. */
export function commandOn(
  runtime: Runtime,
  script: string,
  ...words: string[]
): [string, string[]] {
  const modules = new URL("../../node_modules/", import.meta.url).href;
  const program = fileURLToPath(new URL(PROGRAMS[runtime], modules).href);
  return [program, [...(runtime === "deno" ? DENO : []), script, ...words]];
}
