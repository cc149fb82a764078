import { spawn } from "node:child_process";
import { once } from "node:events";
import process from "node:process";
import { command, MAIN } from "./command.ts";

/** How a call of `portico` has ended, and what it printed. */
export interface Called {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** Runs the command to its end. */
export function call(...words: string[]): Promise<Called> {
  return callWith({}, ...words);
}

/** {@link call} with variables added to the environment. */
export async function callWith(
  variables: Readonly<Record<string, string>>,
  ...words: string[]
): Promise<Called> {
  const child = spawn(...command(MAIN, ...words), {
    stdio: ["ignore", "pipe", "pipe"],
    env: { ...process.env, ...variables },
  });
  let out = "";
  let err = "";
  child.stdout.on("data", (chunk) => out += chunk);
  child.stderr.on("data", (chunk) => err += chunk);
  const [code] = await once(child, "close");
  return { code, out, err };
}
