/** A server under test: bare, or Portico with a manifest made for it. */
import type { ChildProcess } from "node:child_process";
import { writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import type { Case } from "./cases.ts";
import type { Target } from "./load/traffic.ts";
import { probe } from "./probe.ts";
import { folder, start, stop } from "./processes.ts";
import { ROOT, type Runtime } from "./runtimes.ts";
import type { Settings } from "./settings.ts";

export type Side = "bare" | "portico";

/** What differs between the cases' servers beside the handler. */
export interface Wishes {
  /** The script may collect garbage. */
  readonly collect?: boolean;
  /** The least level of Portico's records; `info` says when it is ready. */
  readonly level?: "info" | "warn";
  /** Another checkout of Portico than this one. */
  readonly checkout?: string | undefined;
  /** Where Portico's records go, in place of that. */
  readonly log?: unknown;
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
  /** When its process was started, by `performance.now()`. */
  readonly began: number;
  #errors = "";

  private constructor(command: readonly string[], target: Target) {
    this.began = performance.now();
    const child = this.child = start("server", command);
    this.target = target;
    child.stderr?.setEncoding("utf8").on("data", (text: string) => {
      this.#errors = (this.#errors + text).slice(-2_000);
    });
    child.stdout?.setEncoding("utf8").on("data", (text: string) => {
      if (/"level":"(?:warn|error)"/.test(text)) this.#errors = (this.#errors + text).slice(-2_000);
    });
  }

  /** Starts a server; it listens some time later. */
  static async start(runtime: Runtime, side: Side, of: Case, wishes: Wishes = {}): Promise<Server> {
    const id = ++count;
    const port = of.transport === "unix" ? 0 : await freePort();
    const path = join(folder(), `${id}.sock`);
    const target = { transport: of.transport, port, path };
    const script = side === "bare"
      ? [
        join(ROOT, `bench/bare/${runtime.bare}.ts`),
        of.transport,
        of.handler,
        of.transport === "unix" ? path : String(port),
      ]
      : [
        join(wishes.checkout ?? ROOT, "runtime/main.ts"),
        "run",
        manifest(id, of, target, wishes),
      ];
    const flags = [...runtime.flags, ...(wishes.collect ? runtime.collect : [])];
    return new Server([runtime.program, ...flags, ...script], target);
  }

  get pid(): number {
    return this.child.pid ?? 0;
  }

  /** What stands on one side of a comparison; see {@link Settings}. */
  static side(
    runtime: Runtime,
    side: Side,
    of: Case,
    { self, against }: Pick<Settings, "self" | "against">,
    wishes: Wishes = {},
  ): Promise<Server> {
    if (side === "portico" && !self) return Server.start(runtime, "portico", of, wishes);
    return against === undefined
      ? Server.start(runtime, "bare", of, wishes)
      : Server.start(runtime, "portico", of, { ...wishes, checkout: against });
  }

  /** Waits until it answers, with the bytes that it was sent. */
  async answers(size: number): Promise<void> {
    const until = performance.now() + 20_000;
    for (;;) {
      try {
        return await probe(this.target, size);
      } catch (error) {
        if (this.child.exitCode !== null || performance.now() > until) {
          throw new Error(`${String(error)}\n${this.#errors}`.trim());
        }
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
    }
  }

  /** What it has complained about, for the message of a failure. */
  get errors(): string {
    return this.#errors;
  }

  stop(): Promise<void> {
    return stop(this.child);
  }
}

function manifest(id: number, of: Case, target: Target, wishes: Wishes): string {
  const file = join(folder(), `${id}.json`);
  const listen = of.transport === "unix"
    ? `unix:${target.path}`
    : `${of.transport}://${of.host ?? "127.0.0.1"}:${target.port}`;
  writeFileSync(
    file,
    JSON.stringify({
      // It is killed in the end, and would leave the socket behind.
      control: false,
      services: {
        bench: {
          plugin: join(wishes.checkout ?? ROOT, `bench/portico/${of.plugin}.ts`),
          listen,
          log: wishes.log ?? { type: "json", level: wishes.level ?? "warn" },
        },
      },
    }),
  );
  return file;
}
