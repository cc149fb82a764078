/** Peers that are programs of their own: nc, socat and whatever a shell can join. */
import { type ChildProcess, spawn } from "node:child_process";
import type { Scope } from "./scope.ts";
import { Observable } from "./observable.ts";
import { children, sendSignal } from "./proc.ts";

/** A program that talks over its standard streams. */
export class Program extends Observable {
  /** What it printed, as bytes and as text. */
  out: Uint8Array = new Uint8Array();
  errors = "";
  code: number | string | undefined = undefined;
  readonly #child: ChildProcess;
  readonly #name: string;

  constructor(scope: Scope, cwd: string, program: string, ...words: readonly string[]) {
    super();
    this.#name = [program, ...words].join(" ");
    this.#child = spawn(program, words, { cwd, stdio: ["pipe", "pipe", "pipe"] });
    scope.after(() => this.#kill());
    // It may end before it has read everything.
    this.#child.stdin!.on("error", () => {});
    this.#child.stdout!.on("data", (chunk: Uint8Array) => {
      const longer = new Uint8Array(this.out.length + chunk.length);
      longer.set(this.out);
      longer.set(chunk, this.out.length);
      this.out = longer;
      this.changed();
    });
    this.#child.stderr!.setEncoding("utf8").on("data", (text: string) => this.errors += text);
    this.#child.on("error", (error) => this.errors += String(error));
    this.#child.once("close", (code: number | null, signal: string | null) => {
      this.code = code ?? signal ?? "";
      this.changed();
    });
  }

  protected summary(): string {
    return `${this.#name}: ${JSON.stringify(this.text)} ${this.errors}`;
  }

  get text(): string {
    return new TextDecoder().decode(this.out);
  }

  send(text: string): void {
    this.#child.stdin!.write(text);
  }

  /** Ends its input. */
  end(): void {
    this.#child.stdin!.end();
  }

  /** Waits for text to be part of what it prints. */
  async says(text: string): Promise<void> {
    await this.when(JSON.stringify(text), () => this.text.includes(text));
  }

  /** Waits for its end; what it printed. */
  async ended(): Promise<string> {
    await this.when(`the end of ${this.#name}`, () => this.code !== undefined);
    return this.text;
  }

  async #kill(): Promise<void> {
    if (this.code !== undefined || this.#child.pid === undefined) return;
    // A terminal that goes away sends SIGHUP alone, at which a server reloads.
    for (const pid of [...children(this.#child.pid), this.#child.pid]) sendSignal(pid, "SIGKILL");
    await this.ended();
  }
}

/** Runs a line of shell in `cwd`, to its end; what it printed. */
export async function shell(scope: Scope, cwd: string, line: string): Promise<string> {
  const program = new Program(scope, cwd, "sh", "-c", line);
  program.end();
  return await program.ended();
}
