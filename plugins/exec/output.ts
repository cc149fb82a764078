/** What a program prints, in bounds. */
import type { ChildProcess } from "node:child_process";

/** Chunks, until there are more bytes than may be. */
export class Output {
  length = 0;
  tooLong = false;
  readonly #max: number;
  readonly #exceeded: () => void;
  readonly #chunks: Uint8Array[] = [];

  constructor(max: number, exceeded: () => void) {
    this.#max = max;
    this.#exceeded = exceeded;
  }

  push(chunk: Uint8Array): void {
    if (this.tooLong) return;
    this.length += chunk.length;
    this.tooLong = this.length > this.#max;
    if (!this.tooLong) this.#chunks.push(chunk);
    else this.#exceeded();
  }

  bytes(): Uint8Array {
    const whole = new Uint8Array(this.length);
    let at = 0;
    for (const chunk of this.#chunks) {
      whole.set(chunk, at);
      at += chunk.length;
    }
    return whole;
  }
}

/** Puts all that comes out of a pipe, where there is one, into `output`. */
export function gather(pipe: ChildProcess["stdout"], output: Output): void {
  pipe?.on("data", (chunk: Uint8Array) => output.push(chunk));
}
