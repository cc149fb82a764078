/** The harness' end of the load generator. */
import type { ChildProcess } from "node:child_process";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { Command, Lap } from "./load.ts";
import { start, stop } from "./processes.ts";
import { ROOT, type Runtime } from "./runtimes.ts";

export class Client {
  readonly #child: ChildProcess;
  readonly #lines: AsyncIterator<string>;

  /** @param bun the generator runs on Bun, whatever is measured. */
  constructor(bun: Runtime) {
    this.#child = start("load", [bun.program, join(ROOT, "bench/load.ts")]);
    this.#child.stderr?.resume();
    this.#lines = createInterface({ input: this.#child.stdout! })[Symbol.asyncIterator]();
  }

  /** Has a command done. @throws with the generator's own words when it fails. */
  async do(command: Command & { readonly op: "run" }): Promise<Lap>;
  async do(command: Command): Promise<unknown>;
  async do(command: Command): Promise<unknown> {
    this.#child.stdin?.write(`${JSON.stringify(command)}\n`);
    const line = await this.#lines.next();
    if (line.done) throw new Error("the load generator has ended");
    const answer = JSON.parse(line.value) as { error?: string };
    if (answer.error !== undefined) throw new Error(answer.error);
    return answer;
  }

  stop(): Promise<void> {
    return stop(this.#child);
  }
}
