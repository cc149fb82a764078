/** A server as a process of its own: `portico run --json`, on the runtime that runs the tests. */
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import process from "node:process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { command, commandOn, MAIN, type Runtime } from "./command.ts";
import { Program } from "./program.ts";
import { Records } from "./records.ts";
import type { Scope } from "./scope.ts";
import { sendSignal } from "./proc.ts";

/** One line of the json sink. */
export interface JsonRecord {
  readonly time: string;
  readonly level: string;
  readonly event: string;
  readonly service?: string;
  readonly session?: number;
  readonly [field: string]: unknown;
}

/** How a server is started. */
export interface StartOptions {
  /** The folder to start it from. */
  readonly cwd?: string;
  /** A program, with its first words, that starts it. */
  readonly through?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** Other words before the path than `run`. */
  readonly command?: readonly string[];
  /** Words beside `run PATH --json`. */
  readonly words?: readonly string[];
  /** False leaves its standard output unread until {@link ServerProcess.read}. */
  readonly reading?: boolean;
  /** Another runtime than that of the tests. */
  readonly runtime?: Runtime;
  /** The program, with its first words, that is `portico`, instead of the one of this tree. */
  readonly portico?: readonly [string, ...string[]];
}

/** Lets a program have so many file descriptors, and no more. */
export function limitDescriptors(count: number): readonly string[] {
  return ["sh", "-c", `ulimit -n ${count}; exec "$0" "$@"`];
}

/** A server that was started; whether it came to run is another question. */
export class ServerProcess extends Records<JsonRecord> {
  /** What it wrote to standard error. */
  errors = "";
  /** Its exit code, or the signal that ended it, once it has ended. */
  code: number | string | undefined = undefined;
  /** The same, as soon as the process is gone: a successor may go on with its standard output. */
  exit: number | string | undefined = undefined;
  readonly #child: ChildProcess;

  constructor(
    path: string,
    {
      cwd,
      through = [],
      env = {},
      command: verb = ["run"],
      words: more = [],
      reading = true,
      runtime,
      portico,
    }: StartOptions = {},
  ) {
    super();
    const all = [...verb, path, "--json", ...more];
    const [program, words] = runtime === undefined
      ? command(MAIN, ...all)
      : commandOn(runtime, MAIN, ...all);
    const line = portico === undefined ? [program, ...words] : [...portico, ...all];
    const [first, ...rest] = [...through, ...line];
    this.#child = spawn(first!, rest, {
      stdio: ["ignore", "pipe", "pipe"],
      env: { ...process.env, NO_COLOR: "1", ...env },
      ...(cwd !== undefined && { cwd }),
    });
    if (reading) this.read();
    this.#child.stderr!.setEncoding("utf8").on("data", (text: string) => this.errors += text);
    this.#child.on("error", (error) => this.errors += String(error));
    this.#child.once("exit", (code: number | null, signal: string | null) => {
      this.exit = code ?? signal ?? "";
      this.changed();
    });
    this.#child.once("close", (code: number | null, signal: string | null) => {
      this.code = code ?? signal ?? "";
      this.changed();
    });
  }

  /** Begins to read its records. */
  read(): void {
    createInterface({ input: this.#child.stdout! }).on("line", (line) => {
      this.add(JSON.parse(line));
    });
  }

  protected override summary(): string {
    return `${super.summary()}\n${this.errors}`;
  }

  protected override get ending(): string | undefined {
    return this.code === undefined ? undefined : `it ended with ${this.code}`;
  }

  get pid(): number {
    return this.#child.pid!;
  }

  /** Sends a signal. Deno's child.kill() sends one only, and reports it as the end of the process. */
  signal(name: NodeJS.Signals): void {
    sendSignal(this.pid, name);
  }

  /** What a service really listens on. */
  endpoint(service: string, transport: string): string {
    const found = this.all({ event: "listening", service, endpoint: new RegExp(`^${transport}:`) });
    assert.equal(found.length, 1, `${service} on ${transport}: ${this.summary()}`);
    return found[0]!["endpoint"] as string;
  }

  /** Asks for a status record of a service. */
  async status(service: string): Promise<JsonRecord> {
    const before = this.all({ event: "status", service }).length;
    this.signal("SIGUSR2");
    return (await this.count(before + 1, { event: "status", service })).at(-1)!;
  }

  /** Its exit code, or the signal that ended it. */
  async ended(): Promise<number | string> {
    await this.when("the end of the server", () => this.code !== undefined);
    return this.code!;
  }

  /** As {@link ended}, of the process itself. */
  async exited(): Promise<number | string> {
    await this.when("the exit of the server", () => this.exit !== undefined);
    return this.exit!;
  }

  /** Stops it in order, and sees that it does. */
  async stop(): Promise<void> {
    this.signal("SIGTERM");
    assert.equal(await this.ended(), 0, this.summary());
  }

  /** Ends it, if it is still there, however it is. */
  async kill(): Promise<void> {
    if (this.exit === undefined && this.#child.pid !== undefined) this.signal("SIGKILL");
    // What nobody reads would keep it from being closed.
    this.#child.stdout!.resume();
    await this.ended();
  }
}

/** Starts a server that has to come to run; it is gone when `scope` is over. */
export async function startServer(
  scope: Scope,
  path: string,
  options?: StartOptions,
): Promise<ServerProcess> {
  const server = new ServerProcess(path, options);
  scope.after(() => server.kill());
  await server.record({ event: "ready" });
  return server;
}

/** Starts a server that has to fail, for people; it says why in one block, without a stack trace. */
export async function failToStart(
  scope: Scope,
  path: string,
  through: readonly string[] = [],
): Promise<{ code: number | string | undefined; block: string }> {
  const [program, words] = command(MAIN, "run", path);
  const [first, ...rest] = [...through, program, ...words];
  const server = new Program(scope, ".", first!, ...rest);
  await server.ended();
  const block = server.errors.trimEnd();
  assert.match(block, /^error: [^\n]+\n\n[^\n]/, block);
  assert.doesNotMatch(block, /^ +at |\nerror: /m, "no stack trace, one block");
  return { code: server.code, block };
}

/** A manifest whose records of all levels are lines of JSON. */
export function manifest(services: Readonly<Record<string, object>>): string {
  return JSON.stringify({ defaults: { log: { type: "json", level: "debug" } }, services });
}

/** The path of a plugin beside these tests. */
export function pluginPath(name: string): string {
  return fileURLToPath(new URL(`../processes/plugins/${name}.ts`, import.meta.url).href);
}
