/** The programs of one service that run now. */
import process from "node:process";
import type { Child, Code, Session } from "../../runtime/mod.ts";
import { CODES, PorticoError } from "../../runtime/mod.ts";
import { Lines } from "./lines.ts";

/** How long what a program has printed may be on its way after its end, in ms: others may hold its pipes. */
const SETTLE = 1000;

/** What is run, and how. */
export interface ProgramSettings {
  /** As the manifest has it, for records. */
  readonly name: string;
  readonly stderr: "log" | "discard" | "peer";
  /** Milliseconds between SIGTERM and SIGKILL, and from the start to SIGTERM. */
  readonly killAfter: number;
  readonly timeout: number | undefined;
}

/** How a program has ended: its exit status, or the signal that killed it. */
export type Ending = { readonly exit: number; readonly signal?: undefined } | {
  readonly exit?: undefined;
  readonly signal: string;
};

/** A program with a pipe for what it prints, or with none. */
type Running = Child & { readonly stdout?: { destroy(): unknown } | null };

export class Programs {
  readonly settings: ProgramSettings;
  readonly #running: Set<Run<Running>> = new Set();
  /** Whatever ends this process, even `process.exit`, leaves no program behind. */
  readonly #exit = (): void => this.#running.forEach((run) => run.kill());

  constructor(settings: ProgramSettings) {
    this.settings = settings;
  }

  /**
   * Runs the program for `session`, whose end is its end. What it prints to standard error is logged,
   * if the manifest wants that.
   *
   * @param launch starts it, as the leader of a process group: a signal reaches what it has started too.
   */
  start<Started extends Running>(session: Session<unknown>, launch: () => Started): Run<Started> {
    const run = new Run(this.settings, session, launch);
    if (this.#running.size === 0) process.on("exit", this.#exit);
    this.#running.add(run);
    const gone = (): void => {
      this.#running.delete(run);
      if (this.#running.size === 0) process.off("exit", this.#exit);
    };
    run.ended.then(gone, gone);
    return run;
  }

  /** Ends what still runs. */
  async stop(): Promise<void> {
    await Promise.allSettled([...this.#running].map((run) => {
      run.terminate();
      return run.ended;
    }));
  }
}

/** One program that runs, in a process group of its own. */
export class Run<Started extends Running> {
  readonly child: Started;
  /** How it ended; what it printed has been read by then. @throws PorticoError when it cannot be started. */
  readonly ended: Promise<Ending>;
  readonly #settings: ProgramSettings;
  #alive = true;
  #terminated = false;
  #timer: ReturnType<typeof setTimeout> | undefined = undefined;

  constructor(settings: ProgramSettings, session: Session<unknown>, launch: () => Started) {
    const { name, stderr, timeout } = settings;
    this.#settings = settings;
    try {
      this.child = launch();
    } catch (error) {
      throw failure(name, error);
    }
    this.ended = this.#end(name);
    if (stderr === "log") {
      const lines = new Lines((line) => session.log.warn(line, { program: name }));
      this.child.stderr?.on("data", (chunk: Uint8Array) => lines.push(chunk));
      this.child.stderr?.on("end", () => lines.end());
    }
    if (timeout !== undefined) {
      this.#timer = setTimeout(() => {
        session.log.warn(`${name} has run for ${timeout} ms: it is ended`);
        this.terminate();
      }, timeout);
    }
    const { signal } = session;
    if (signal.aborted) this.terminate();
    else signal.addEventListener("abort", () => this.terminate());
  }

  /** SIGTERM, and SIGKILL when it takes too long. */
  terminate(): void {
    if (!this.#alive || this.#terminated) return;
    this.#terminated = true;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.kill(), this.#settings.killAfter);
    this.#signal("SIGTERM");
  }

  /** SIGKILL. */
  kill(): void {
    if (!this.#alive) return;
    this.#terminated = true;
    this.#signal("SIGKILL");
  }

  #signal(name: "SIGTERM" | "SIGKILL"): void {
    const { pid } = this.child;
    if (pid === undefined) return;
    try {
      process.kill(-pid, name);
    } catch {
      // Nobody is left in the group.
    }
  }

  async #end(name: string): Promise<Ending> {
    const { child } = this;
    const { promise, resolve, reject } = Promise.withResolvers<Ending>();
    const closed = new Promise<void>((resolve) => child.once("close", () => resolve()));
    child.once("error", (error) => reject(failure(name, error)));
    child.once("exit", (code, signal) => {
      // What it has started and not waited for goes with it when it was told to go.
      if (this.#terminated) this.#signal("SIGKILL");
      this.#alive = false;
      resolve(code === null ? { signal: String(signal) } : { exit: code });
    });
    try {
      const ending = await promise;
      clearTimeout(this.#timer);
      this.#timer = setTimeout(() => {
        child.stdout?.destroy();
        child.stderr?.destroy();
      }, SETTLE);
      await closed;
      return ending;
    } finally {
      this.#alive = false;
      clearTimeout(this.#timer);
    }
  }
}

function failure(name: string, error: unknown): PorticoError {
  const { code, message } = error as { code?: string; message?: string };
  const known = code !== undefined && Object.hasOwn(CODES, code) ? code as Code : "HOOK_FAILED";
  const text = `exec: ${name} cannot be started: ${message ?? String(error)}`;
  return new PorticoError(known, text, { cause: error, side: "host" });
}
