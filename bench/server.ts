/** A server under test: bare, in C, or Portico with a manifest made for it. */
import type { ChildProcess } from "node:child_process";
import { createServer } from "node:net";
import { join } from "node:path";
import process from "node:process";
import type { Bare, Case, InC, Subject } from "./case.ts";
import { program } from "./compiler.ts";
import type { Target } from "./load/traffic.ts";
import { mainOf, manifest, scripts } from "./files.ts";
import { folder, start, stop } from "./processes.ts";
import type { Runtime } from "./runtimes.ts";
import type { Settings } from "./settings.ts";
import { descendants } from "./tree.ts";

export const SIDES = ["base", "portico"] as const;
export type Side = typeof SIDES[number];

/** What differs between the cases' servers beside the subject. */
export interface Wishes {
  /** The script may collect garbage. */
  readonly collect?: boolean;
  /** The least level of Portico's records where the case is silent; `info` says when it is ready. */
  readonly level?: "info" | "warn";
  /** Another checkout of Portico than this one. */
  readonly checkout?: string | undefined;
  /** What stands before the script, beside the runtime's own flags. */
  readonly flags?: readonly string[];
}

let count = 0;

/** A free port below those that the kernel gives to clients, so that none of them takes it first. */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = 15_000 + Math.floor(Math.random() * 15_000);
    const server = createServer();
    const { promise, resolve } = Promise.withResolvers<boolean>();
    server.once("error", () => resolve(false));
    server.listen(port, "127.0.0.1", () => server.close(() => resolve(true)));
    if (await promise) return port;
  }
}

export class Server {
  readonly child: ChildProcess;
  readonly target: Target;
  readonly subject: Subject;
  /** When its process was started, by `performance.now()`. */
  readonly began: number;
  readonly #comings: boolean;
  #errors = "";

  private constructor(
    subject: Subject,
    core: "server" | "any",
    command: readonly string[],
    target: Target,
  ) {
    this.subject = subject;
    this.#comings = core === "any";
    this.target = target;
    this.began = performance.now();
    const child = this.child = start(core, command);
    child.stderr?.setEncoding("utf8").on("data", (text: string) => {
      this.#errors = (this.#errors + text).slice(-2_000);
    });
    child.stdout?.setEncoding("utf8").on("data", (text: string) => {
      if (/"level":"(?:warn|error)"/.test(text)) this.#errors = (this.#errors + text).slice(-2_000);
    });
  }

  /** Starts a server; it listens some time later. */
  static async start(
    runtime: Runtime,
    subject: Subject,
    of: Case,
    wishes: Wishes = {},
  ): Promise<Server> {
    const id = ++count;
    const { transport } = of;
    const local = transport === "unix" || transport === "unixgram";
    const path = local ? join(folder(), `${id}.sock`) : "";
    const target = { transport, port: local ? 0 : await freePort(), path };
    const words = [
      runtime.program,
      ...runtime.flags,
      ...(wishes.collect ? runtime.collect : []),
      ...(wishes.flags ?? []),
    ];
    const command = subject.by === "c" ? inC(subject, words, runtime, target) : [
      ...words,
      ...(subject.by === "bare"
        ? bare(subject, runtime, target)
        : [mainOf(subject, wishes.checkout), "run", manifest(id, subject, target, wishes)]),
    ];
    return new Server(subject, of.anyCore ? "any" : "server", command, target);
  }

  get pid(): number {
    return this.child.pid ?? 0;
  }

  /** Whose CPU time is the server's; where processes come and go nobody asks for it. */
  get pids(): readonly number[] {
    return this.#comings ? [this.pid] : [this.pid, ...descendants(this.pid)];
  }

  /** What stands on one side of a comparison; see {@link Settings}. */
  static side(
    runtime: Runtime,
    side: Side,
    of: Case,
    { self, against }: Pick<Settings, "self" | "against">,
    wishes: Wishes = {},
  ): Promise<Server> {
    if (side === "portico" && !self) return Server.start(runtime, of.portico, of, wishes);
    return against === undefined
      ? Server.start(runtime, of.base, of, wishes)
      : Server.start(runtime, of.portico, of, { ...wishes, checkout: against });
  }

  /** What it has complained about, for the message of a failure. */
  get errors(): string {
    return this.#errors;
  }

  /** Ends it at once, and all that it has started. */
  async stop(): Promise<void> {
    const others = this.child.exitCode === null ? descendants(this.pid) : [];
    await stop(this.child);
    for (const pid of others) {
      try {
        process.kill(pid, "SIGKILL");
      } catch {
        // It has ended with its parent.
      }
    }
  }
}

function bare(
  { handler, compiled }: Bare,
  { bare }: Runtime,
  { transport, port, path }: Target,
): string[] {
  const name = transport !== "http" ? bare : handler === "srvx" ? "srvx" : `http-${bare}`;
  return [scripts(name, compiled), transport, handler, path || String(port)];
}

function inC(
  { program: name, compiled }: InC,
  words: string[],
  { bare }: Runtime,
  target: Target,
): string[] {
  const address = target.path || String(target.port);
  if (name === "echo") return [program("echo"), target.transport, address];
  return [program("inetd"), address, ...words, scripts(`once-${bare}`, compiled)];
}
