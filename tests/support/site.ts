/** A server with a control socket, its manifest, and its operator. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { ask, type AskOptions } from "../../runtime/control/client.ts";
import type { Reloaded } from "../../runtime/control/control.ts";
import type { ServerStatus, ServiceStatus } from "../../runtime/services/status.ts";
import type { ControlRequest } from "../../runtime/control/request.ts";
import { command, MAIN } from "./command.ts";
import { folder } from "./folder.ts";
import { until, within } from "./until.ts";
import { dial } from "./peers.ts";
import { adapter } from "./room.ts";
import type { Scope } from "./scope.ts";
import { pluginPath, Server, type Start } from "./server.ts";

type Services = Readonly<Record<string, Readonly<Record<string, unknown>>>>;

/** What `portico ctl` came to. */
export interface Told {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

export const TCP = "tcp://127.0.0.1:0";
export const UDP = "udp://127.0.0.1:0";

/** A service with the plugin that tells what it was started with. */
export const lasting = (
  listen: string | readonly string[],
  version: number,
  more: Readonly<Record<string, unknown>> = {},
): Record<string, unknown> => ({
  plugin: pluginPath("lasting"),
  listen,
  options: { version },
  limits: { drain: "5s" },
  ...more,
});

export class Site {
  readonly home: string;
  server!: Server;
  readonly #scope: Scope;
  readonly #pids = new Set<number>();
  #control = "c";

  private constructor(scope: Scope, home: string) {
    this.#scope = scope;
    this.home = home;
  }

  /** Starts it; it is gone, with its successors, when `scope` is over. */
  static async open(
    scope: Scope,
    services: Services,
    more: object = {},
    start: Start = {},
  ): Promise<Site> {
    const site = Site.make(scope, services, more);
    await site.startAs(start);
    return site;
  }

  /** The folder and the manifest, without a server. */
  static make(scope: Scope, services: Services, more: object = {}): Site {
    const site = new Site(scope, folder(scope, {}));
    site.write(services, more);
    return site;
  }

  /** @param words beside `run PATH --json`. */
  async start(path: string = this.home, ...words: readonly string[]): Promise<void> {
    await this.startAs({ words }, path);
  }

  async startAs(start: Start, path: string = this.home): Promise<void> {
    this.server = new Server(path, start);
    this.#scope.after(() => this.#end());
    await this.server.record({ event: "ready" });
  }

  get file(): string {
    return join(this.home, "portico.json");
  }

  get control(): string {
    return join(this.home, this.#control);
  }

  /** The control socket is at another place. */
  moved(name: string): void {
    this.#control = name;
  }

  /** Writes the manifest. */
  write(services: Services, more: object = {}): void {
    const log = { type: "json", level: "debug" };
    const manifest = { control: `unix:./${this.#control}`, defaults: { log }, services, ...more };
    writeFileSync(this.file, JSON.stringify(manifest));
  }

  /** Asks over the control socket. */
  async ask(
    command: ControlRequest["command"],
    more: Partial<ControlRequest> = {},
    asking?: AskOptions,
  ) {
    const answer = ask(adapter, this.control, { command, ...more }, asking);
    return await within(`an answer to ${command}`, answer, 20_000);
  }

  async reload(): Promise<Reloaded> {
    return await this.ask("reload") as Reloaded;
  }

  async status(): Promise<ServerStatus> {
    return await this.ask("status") as ServerStatus;
  }

  async service(name: string): Promise<ServiceStatus> {
    const found = (await this.status()).services.find(({ service }) => service === name);
    assert.ok(found !== undefined, `a status of ${name}`);
    return found;
  }

  /** Waits until the status of a service is as it should be. */
  async until(name: string, holds: (status: ServiceStatus) => boolean): Promise<void> {
    const end = performance.now() + 10_000;
    for (;;) {
      const status = await this.service(name);
      if (holds(status)) return;
      assert.ok(performance.now() < end, `${name}: ${JSON.stringify(status)}`);
    }
  }

  /** Has a successor take over; its pid. */
  async upgrade(to?: "node" | "bun" | "deno"): Promise<number> {
    const pid = await this.ask("upgrade", { ...(to !== undefined && { to }) }) as number;
    this.knows(pid);
    return pid;
  }

  /** A process that has to be gone when it is over. */
  knows(pid: number): void {
    this.#pids.add(pid);
  }

  /** Runs `portico ctl`. */
  async ctl(...words: readonly string[]): Promise<Told> {
    return await ctl(...words, "--manifest", this.file);
  }

  /** Where a service listens, now. */
  async endpoint(service: string, transport: string): Promise<string> {
    const { endpoints } = await this.service(service);
    const found = endpoints.find((endpoint) => endpoint.startsWith(`${transport}:`));
    assert.ok(found !== undefined, `${service} on ${transport}: ${endpoints}`);
    return found;
  }

  /** What a new session of a service is served with. */
  async version(endpoint: string): Promise<string> {
    return await this.told(endpoint, "version?\n");
  }

  /** The answer of a new session to one line. */
  async told(endpoint: string, line: string): Promise<string> {
    const peer = await dial(this.#scope, endpoint);
    peer.send(line);
    await peer.when("an answer", () => peer.text.endsWith("\n"));
    peer.end();
    await peer.over();
    return peer.text.trim();
  }

  async #end(): Promise<void> {
    for (const pid of this.#pids) {
      try {
        process.kill(pid, "SIGKILL");
      } catch {
        // It has ended in order.
      }
    }
    await this.server.kill();
  }
}

/** Runs `portico ctl` with these words. */
export async function ctl(...words: readonly string[]): Promise<Told> {
  const [program, args] = command(MAIN, "ctl", ...words);
  const child = spawn(program, args, {
    stdio: ["ignore", "pipe", "pipe"],
    env: { ...process.env, NO_COLOR: "1", NODE_NO_WARNINGS: "1" },
  });
  let out = "";
  let err = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => out += text);
  child.stderr.setEncoding("utf8").on("data", (text: string) => err += text);
  const ended = new Promise<number | null>((resolve) => child.once("close", resolve));
  const code = await within(`the end of ctl ${words.join(" ")}`, ended, 30_000);
  return { code, out, err };
}

/** Waits for a process to be no more. */
export async function gone(pid: number): Promise<void> {
  await until(`the end of process ${pid}`, () => !isThere(pid));
}

export function isThere(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

/** Asks time and again, each time for the answer; every one has to come. */
export function asker(
  who: { ask(bytes: string, endpoint: string): Promise<Uint8Array> },
  endpoint: string,
): { stop(): Promise<number> } {
  let going = true;
  let count = 0;
  const done = (async () => {
    while (going) {
      const text = `question ${++count}`;
      const answer = new TextDecoder().decode(await who.ask(text, endpoint));
      assert.equal(answer, text);
    }
    return count;
  })();
  done.catch(() => {});
  return {
    stop() {
      going = false;
      return done;
    },
  };
}
