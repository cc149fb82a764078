/** The longest line that is kept, in characters. */
const LINE_MAX = 2048;

/** Makes lines of what a program prints; of one that is too long only the beginning. */
export class Lines {
  readonly #line: (line: string) => void;
  readonly #decoder = new TextDecoder();
  #rest = "";

  /** @param line is called for each line that is not empty. */
  constructor(line: (line: string) => void) {
    this.#line = line;
  }

  push(chunk: Uint8Array): void {
    const parts = this.#decoder.decode(chunk, { stream: true }).split("\n");
    for (const [index, part] of parts.entries()) {
      if (index > 0) this.end();
      if (this.#rest.length < LINE_MAX) this.#rest = (this.#rest + part).slice(0, LINE_MAX);
    }
  }

  /** A last line needs no end. */
  end(): void {
    const line = this.#rest.trimEnd();
    this.#rest = "";
    if (line !== "") this.#line(line);
  }
}
