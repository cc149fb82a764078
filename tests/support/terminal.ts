/** A command on a terminal of its own. */
import type { Scope } from "./scope.ts";
import { command, MAIN } from "./command.ts";
import { Program } from "./program.ts";

/** Runs `portico` with these words on a terminal, without colours; `script` has to be there. */
export function porticoOnTerminal(scope: Scope, cwd: string, ...words: string[]): Program {
  const [program, all] = command(MAIN, ...words);
  const line = [program, ...all].map((word) => `'${word}'`).join(" ");
  const variables = ["TERM=xterm", "NO_COLOR=1"];
  return new Program(scope, cwd, "env", ...variables, "script", "-qefc", line, "/dev/null");
}

/** What it shows, with the ends of lines of a file. */
export function screen(terminal: Program): string {
  return terminal.text.replaceAll("\r\n", "\n");
}
