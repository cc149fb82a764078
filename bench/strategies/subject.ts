/** A Portico under test, with the strategy and the plugin that a part asks for. */
import type { ChildProcess } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { setTimeout as pause } from "node:timers/promises";
import { folder, start, stop } from "../processes.ts";
import { ROOT, type Runtime } from "../runtimes.ts";
import { freePort } from "../server.ts";
import { ask } from "./ask.ts";
import { descendants } from "../tree.ts";

/** As a manifest says it. */
export interface Concurrency {
  readonly strategy: "serial" | "async" | "threads" | "processes" | "spawn";
  readonly workers?: number;
  readonly max?: number;
}

export interface Wanted {
  readonly concurrency: Concurrency;
  /** Its path in the repository. */
  readonly plugin: string;
  readonly options?: unknown;
  /** `server` pins it and its workers to the server's core; `any` gives them all. */
  readonly core?: "server" | "any";
  /** It has a control socket in its folder. */
  readonly control?: boolean;
}

export const ASYNC: Concurrency = { strategy: "async" };

/** `threads 2`. */
export function title({ strategy, workers, max }: Concurrency): string {
  return [strategy, workers, max === undefined ? undefined : `max ${max}`]
    .filter((word) => word !== undefined).join(" ");
}

const PATIENCE = 20_000;
/** Workers that are still starting when the first answers have this long. */
const SETTLE = 400;
let count = 0;

export class Subject {
  readonly port: number;
  /** The folder of its manifest, and nothing else's. */
  readonly folder: string;
  readonly #wanted: Wanted;
  readonly #child: ChildProcess;
  /** Sessions that were inside workers that died. */
  lost = 0;
  #errors = "";

  private constructor(runtime: Runtime, wanted: Wanted, port: number, at: string) {
    this.#wanted = wanted;
    this.port = port;
    this.folder = at;
    this.configure(wanted.options);
    const main = join(ROOT, "runtime/main.ts");
    const command = [runtime.program, ...runtime.flags, main, "run", this.manifest];
    const child = this.#child = start(wanted.core ?? "any", command);
    child.stderr!.setEncoding("utf8").on("data", (text: string) => {
      this.#errors = (this.#errors + text).slice(0, 2_000);
    });
    child.stdout!.setEncoding("utf8").on("data", (text: string) => {
      for (const [, count] of text.matchAll(/"event":"worker".*"lost":(\d+)/g)) {
        this.lost += Number(count);
      }
      if (text.includes('"level":"error"')) this.#errors = (this.#errors + text).slice(0, 2_000);
    });
  }

  /** Starts it, and waits until it answers. @throws with its own words when it does not. */
  static async start(runtime: Runtime, wanted: Wanted): Promise<Subject> {
    const at = join(folder(), `s${++count}`);
    mkdirSync(at);
    const subject = new Subject(runtime, wanted, await freePort(), at);
    try {
      await subject.#answers();
      await pause(SETTLE);
      return subject;
    } catch (error) {
      await subject.stop();
      throw error;
    }
  }

  get pid(): number {
    return this.#child.pid!;
  }

  get manifest(): string {
    return join(this.folder, "portico.json");
  }

  get control(): string {
    return join(this.folder, "control.sock");
  }

  get endpoint(): string {
    return `tcp://127.0.0.1:${this.port}`;
  }

  /** The processes that it has started. */
  get workers(): number[] {
    return descendants(this.pid);
  }

  /** Writes the manifest with these options; the server has to be told. */
  configure(options: unknown): void {
    const { concurrency, plugin, control } = this.#wanted;
    const service = {
      plugin: join(ROOT, plugin),
      listen: this.endpoint,
      concurrency,
      // The records of each session would be what is measured.
      log: { type: "json", level: "warn" },
      ...(options !== undefined && { options }),
    };
    const manifest = {
      services: { bench: service },
      control: control ? "unix:./control.sock" : false,
    };
    writeFileSync(this.manifest, JSON.stringify(manifest));
  }

  async #answers(): Promise<void> {
    const until = performance.now() + PATIENCE;
    for (;;) {
      try {
        await ask(this.port, "ready?\n");
        return;
      } catch (error) {
        if (this.#child.exitCode !== null || performance.now() > until) {
          throw new Error(this.#complaint ?? String(error));
        }
        await pause(50);
      }
    }
  }

  /** The gist of what it printed: an error's rows are one sentence then. */
  get #complaint(): string | undefined {
    const lines = this.#errors.split("\n").map((line) => line.trim()).filter((line) => line !== "");
    return lines.length === 0 ? undefined : lines.slice(0, 6).join("; ");
  }

  /** Stops it in order; what does not end is killed, workers too. */
  async stop(): Promise<void> {
    const all = [this.pid, ...this.workers];
    const gone = new Promise<boolean>((resolve) => {
      if (this.#child.exitCode !== null || this.#child.signalCode !== null) resolve(true);
      this.#child.once("exit", () => resolve(true));
    });
    this.#child.kill("SIGTERM");
    if (await Promise.race([gone, pause(3_000, false)])) return;
    for (const pid of all.slice(1)) {
      try {
        process.kill(pid, "SIGKILL");
      } catch {
        // It has ended by itself.
      }
    }
    await stop(this.#child);
  }
}

/** Starts several, lends them, and stops them whatever happens. */
export async function withSubjects<Result>(
  runtime: Runtime,
  wanted: readonly Wanted[],
  use: (subjects: readonly Subject[]) => Promise<Result>,
): Promise<Result> {
  const subjects: Subject[] = [];
  try {
    for (const one of wanted) subjects.push(await Subject.start(runtime, one));
    return await use(subjects);
  } finally {
    await Promise.all(subjects.map((subject) => subject.stop()));
  }
}
