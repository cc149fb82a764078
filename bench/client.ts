/** The harness' end of the load generator. */
import type { ChildProcess } from "node:child_process";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { compiles, program } from "./compiler.ts";
import { type Command, type Lap, line, type Shape, type Target } from "./load/traffic.ts";
import { start, stop } from "./processes.ts";
import { find, ROOT } from "./runtimes.ts";

function command(): readonly string[] {
  return compiles() ? [program("load")] : [find("bun").program, join(ROOT, "bench/load.ts")];
}

/** Why this machine's generator cannot make such a load; undefined when it can. */
export function unable(target: Target["transport"], shapes: readonly Shape[]): string | undefined {
  const plain = target !== "unixgram" && shapes.length === 1 &&
    shapes.every(({ kind, rate }) => (kind === "echo" || kind === "connect") && rate === 0);
  return plain || compiles() ? undefined : "such a load needs a C compiler";
}

export class Client {
  readonly #child: ChildProcess;
  readonly #lines: AsyncIterator<string>;

  constructor() {
    this.#child = start("load", command());
    this.#child.stderr?.resume();
    this.#lines = createInterface({ input: this.#child.stdout! })[Symbol.asyncIterator]();
  }

  /** Opens the sockets of a load, under a name. */
  async open(name: string, target: Target, shape: Shape): Promise<void> {
    await this.#do({ op: "open", name, target, shape });
  }

  /** One lap of all that are named, at once. */
  async run(names: readonly string[], ms: number, pids: readonly number[]): Promise<Lap> {
    return await this.#do({ op: "run", names, ms, pids }) as Lap;
  }

  async close(name: string): Promise<void> {
    await this.#do({ op: "close", name });
  }

  /** @throws with the generator's own words when it fails. */
  async #do(command: Command): Promise<unknown> {
    this.#child.stdin?.write(`${line(command)}\n`);
    const answer = await this.#lines.next();
    if (answer.done) throw new Error("the load generator has ended");
    const { error, ...result } = JSON.parse(answer.value) as { error?: string };
    if (error !== undefined) throw new Error(error);
    return result;
  }

  stop(): Promise<void> {
    return stop(this.#child);
  }
}
