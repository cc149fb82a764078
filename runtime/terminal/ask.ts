/** Questions on a terminal, a line each. */
import process from "node:process";
import { createInterface } from "node:readline/promises";

/** Whether somebody is there who can be asked. */
export function canAsk(): boolean {
  return process.stdin.isTTY === true && process.stdout.isTTY === true;
}

/** A question. */
export interface Question<Answer extends string> {
  readonly text: string;
  /** All that the answer can be. */
  readonly one?: readonly Answer[];
  /** The answer of who only presses Enter. */
  readonly silent?: Answer;
  /** What is wrong with an answer: then it is asked again. */
  readonly flaw?: (answer: Answer) => string | undefined;
}

/** Asks one thing after another; undefined when the terminal's input has ended (Ctrl-D). */
export class Questions {
  // The terminal's own line editing: Ctrl-C ends the program, as everywhere.
  readonly #lines = createInterface({ input: process.stdin, terminal: false });
  readonly #waiting: ((line: string | undefined) => void)[] = [];
  readonly #come: (string | undefined)[] = [];

  constructor() {
    const take = (line?: string): void => {
      const next = this.#waiting.shift();
      if (next === undefined) this.#come.push(line);
      else next(line);
    };
    this.#lines.on("line", take).on("close", () => take());
  }

  async ask<Answer extends string>(
    { text, one, silent, flaw }: Question<Answer>,
  ): Promise<Answer | undefined> {
    const choices = one === undefined ? "" : ` (${one.join(", ")})`;
    const usual = silent === undefined ? "" : ` [${silent}]`;
    for (;;) {
      process.stdout.write(`${text}${choices}${usual} `);
      const line = await this.#line();
      if (line === undefined) return undefined;
      const answer = (line.trim() || silent || "") as Answer;
      const wrong = one === undefined || one.includes(answer)
        ? flaw?.(answer)
        : `one of ${one.join(", ")}`;
      if (wrong === undefined) return answer;
      process.stdout.write(`  ${wrong}\n`);
    }
  }

  close(): void {
    this.#lines.close();
  }

  #line(): Promise<string | undefined> {
    if (this.#come.length > 0) return Promise.resolve(this.#come.shift());
    return new Promise((resolve) => this.#waiting.push(resolve));
  }
}
