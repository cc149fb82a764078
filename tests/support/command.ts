import { spawn } from "node:child_process";
import { once } from "node:events";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { within } from "./until.ts";

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

/** How a command has ended, and what it printed. */
export interface CommandResult {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

/** Runs `portico` with these words, to its end. */
export function portico(...words: readonly string[]): Promise<CommandResult> {
  return porticoWith({}, ...words);
}

/** {@link portico} with variables added to the environment. */
export async function porticoWith(
  variables: Readonly<Record<string, string>>,
  ...words: readonly string[]
): Promise<CommandResult> {
  return await runToEnd(command(MAIN, ...words), variables);
}

/** Runs a program to its end; after `limit` ms it is killed. */
export async function runToEnd(
  [program, words]: readonly [string, readonly string[]],
  variables: Readonly<Record<string, string>> = {},
  limit = 120_000,
): Promise<CommandResult> {
  const child = spawn(program, words, {
    stdio: ["ignore", "pipe", "pipe"],
    env: { ...process.env, ...variables },
  });
  let out = "";
  let err = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => out += text);
  child.stderr.setEncoding("utf8").on("data", (text: string) => err += text);
  const [code] = await within(
    `the end of ${program} ${words.join(" ")}`,
    once(child, "close"),
    limit,
  )
    .finally(() => child.kill("SIGKILL"));
  return { code, out, err };
}
