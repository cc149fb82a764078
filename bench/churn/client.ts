/**
 * The tests' and benchmarks' end of the load generator, which is a process of its own on Node:
 *
 *     const generator = new Generator();
 *     const load = await generator.short({ endpoint, concurrency: 20, bytes: 512 });
 *     const pings = await generator.long({ endpoint, connections: 10 });
 *     await load.reached(1_000);
 *     // reload, kill, upgrade …
 *     const { failed, missingBytes } = await load.stop();
 *     const { broken, latency } = await pings.stop();
 *     await generator.close();
 */
import { type ChildProcess, spawn } from "node:child_process";
import { join } from "node:path";
import process from "node:process";
import { createInterface } from "node:readline";
import { environment, find, ROOT } from "../runtimes.ts";
import type { LongWish, ShortWish } from "./load.ts";
import type { LongReport, ShortReport } from "./report.ts";
import type { Answered, Order } from "./steer.ts";

/** A load that is under way. */
export interface Running<Report> {
  /** The counts so far. */
  report(): Promise<Report>;
  /** Makes no new connections, waits for those that are open; short ones for `timeoutMs` at most. */
  stop(): Promise<Report>;
}

/** A load of short connections. */
export interface RunningShort extends Running<ShortReport> {
  /** Resolves when so many connections are completed, or the load is over. */
  reached(count: number): Promise<ShortReport>;
  /** Resolves when `total` connections have ended. */
  done(): Promise<ShortReport>;
}

/** The process. It ends with {@link close}, and by itself when its starter is gone. */
export class Generator {
  readonly #child: ChildProcess;
  readonly #answers = new Map<number, PromiseWithResolvers<unknown>>();
  readonly #gone = Promise.withResolvers<void>();
  #errors = "";
  #ended = false;
  #count = 0;

  /** @param through words before the program's, as `taskset -c 1`. */
  constructor(through: readonly string[] = []) {
    const command = [...through, find("node").program, join(ROOT, "bench/churn.ts"), "--steered"];
    const child = this.#child = spawn(command[0]!, command.slice(1), {
      env: environment,
      stdio: ["pipe", "pipe", "pipe"],
    });
    child.stdin!.on("error", () => {}); // It has gone: that is noticed below.
    child.stderr!.setEncoding("utf8").on("data", (text: string) => {
      this.#errors = (this.#errors + text).slice(-2_000);
    });
    createInterface({ input: child.stdout! }).on("line", (line) => this.#hear(line));
    child.once("error", (error) => this.#end(String(error)));
    child.once("close", (code, signal) => this.#end(`it ended with ${code ?? signal}`));
  }

  get pid(): number {
    return this.#child.pid!;
  }

  /** Begins a load of short connections. @throws for a load that cannot be. */
  async short(load: ShortWish): Promise<RunningShort> {
    const name = this.#name();
    await this.#ask({ op: "short", name, load });
    const ask = (order: Order): Promise<ShortReport> => this.#ask(order) as Promise<ShortReport>;
    return {
      report: () => ask({ op: "report", name }),
      stop: () => ask({ op: "stop", name }),
      done: () => ask({ op: "done", name }),
      reached: (count) => ask({ op: "reached", name, count }),
    };
  }

  /** Opens connections that stay; resolves when each has had its first answer, or is broken. */
  async long(load: LongWish): Promise<Running<LongReport>> {
    const name = this.#name();
    await this.#ask({ op: "long", name, load });
    const ask = (order: Order): Promise<LongReport> => this.#ask(order) as Promise<LongReport>;
    return {
      report: () => ask({ op: "report", name }),
      stop: () => ask({ op: "stop", name }),
    };
  }

  /** Ends the process at once, whatever is under way, and waits until it is gone. */
  async close(): Promise<void> {
    this.#child.stdin!.end();
    if (!this.#ended && this.#child.pid !== undefined) {
      try {
        process.kill(this.#child.pid, "SIGKILL");
      } catch {
        // It is gone, and its `close` is on the way.
      }
    }
    await this.#gone.promise;
  }

  #name(): string {
    return `load ${++this.#count}`;
  }

  #ask(order: Order): Promise<unknown> {
    if (this.#ended) return Promise.reject(new Error("the load generator has ended"));
    const id = ++this.#count;
    const answer = Promise.withResolvers<unknown>();
    this.#answers.set(id, answer);
    this.#child.stdin!.write(`${JSON.stringify({ id, ...order })}\n`);
    return answer.promise;
  }

  #hear(line: string): void {
    const answered = JSON.parse(line) as Answered;
    const answer = this.#answers.get(answered.id);
    this.#answers.delete(answered.id);
    if ("error" in answered) answer?.reject(new Error(answered.error));
    else answer?.resolve(answered.value);
  }

  #end(why: string): void {
    this.#ended = true;
    const error = new Error(`the load generator: ${why}\n${this.#errors}`.trim());
    for (const answer of this.#answers.values()) answer.reject(error);
    this.#answers.clear();
    this.#gone.resolve();
  }
}
