/**
 * A protocol of lines whose answer is the line itself; what both forms of it share. As servers do, they read a
 * command, look something up, and write what was found.
 */

const decoder = new TextDecoder();

/** What a line says. */
export interface Command {
  readonly words: readonly string[];
}

export function parse(line: Uint8Array): Command {
  return { words: decoder.decode(line).split(" ") };
}

export function answer({ words }: Command): string {
  return `${words.join(" ")}\n`;
}
