import type { CallOf } from "../terminal/commands.ts";
import { print, printJson } from "../terminal/output.ts";

/** Prints the script that completes `portico` in a shell. @returns 0. */
export async function completion({ shell, json }: CallOf<"completion">): Promise<number> {
  const script = await scriptFor(shell);
  await (json ? printJson({ shell, script }) : print(script));
  return 0;
}

async function scriptFor(shell: CallOf<"completion">["shell"]): Promise<string> {
  switch (shell) {
    case "bash":
      return (await import("../terminal/completion/bash.ts")).bashScript();
    case "zsh":
      return (await import("../terminal/completion/zsh.ts")).zshScript();
    case "fish":
      return (await import("../terminal/completion/fish.ts")).fishScript();
  }
}
