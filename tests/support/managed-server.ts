/** A server process with its manifest and its control socket: it can be reloaded, upgraded, asked and told. */
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { ask, type AskOptions } from "../../runtime/control/client.ts";
import type { Reloaded } from "../../runtime/control/control.ts";
import type { ServerStatus, ServiceStatus } from "../../runtime/services/status.ts";
import type { ControlRequest } from "../../runtime/control/request.ts";
import { adapter } from "./adapter.ts";
import { type CommandResult, portico } from "./command.ts";
import { folder } from "./folder.ts";
import { within } from "./until.ts";
import { askOnce } from "./peers.ts";
import type { Scope } from "./scope.ts";
import { pluginPath, ServerProcess, type StartOptions } from "./server-process.ts";
import { sendSignal } from "./proc.ts";

export type Services = Readonly<Record<string, Readonly<Record<string, unknown>>>>;

export const TCP = "tcp://127.0.0.1:0";
export const UDP = "udp://127.0.0.1:0";

/** A service with the plugin that tells what it was started with. */
export const versioned = (
  listen: string | readonly string[],
  version: number,
  more: Readonly<Record<string, unknown>> = {},
): Record<string, unknown> => ({
  plugin: pluginPath("versioned"),
  listen,
  options: { version },
  limits: { drain: "5s" },
  ...more,
});

export class ManagedServer {
  readonly home: string;
  process!: ServerProcess;
  readonly #scope: Scope;
  readonly #pids = new Set<number>();
  #control = "c";

  private constructor(scope: Scope, home: string) {
    this.#scope = scope;
    this.home = home;
  }

  /** Starts it; it is gone, with its successors, when `scope` is over. */
  static async start(
    scope: Scope,
    services: Services,
    more: object = {},
    options: StartOptions = {},
  ): Promise<ManagedServer> {
    const server = ManagedServer.prepare(scope, services, more);
    await server.startAs(options);
    return server;
  }

  /** The folder and the manifest, without a server. */
  static prepare(scope: Scope, services: Services, more: object = {}): ManagedServer {
    const server = new ManagedServer(scope, folder(scope, {}));
    server.write(services, more);
    return server;
  }

  /** @param words beside `run PATH --json`. */
  async start(path: string = this.home, ...words: readonly string[]): Promise<void> {
    await this.startAs({ words }, path);
  }

  async startAs(options: StartOptions, path: string = this.home): Promise<void> {
    this.process = new ServerProcess(path, options);
    this.#scope.after(() => this.#end());
    await this.process.record({ event: "ready" });
  }

  get file(): string {
    return join(this.home, "portico.json");
  }

  get control(): string {
    return join(this.home, this.#control);
  }

  /** Where its control socket is from now on, in its folder. */
  setControl(name: string): void {
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
    return await within(`an answer to ${command}`, answer, 50_000);
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
    const end = performance.now() + 30_000;
    for (;;) {
      const status = await this.service(name);
      if (holds(status)) return;
      assert.ok(performance.now() < end, `${name}: ${JSON.stringify(status)}`);
    }
  }

  /** Has a successor take over; its pid. */
  async upgrade(to?: "node" | "bun" | "deno"): Promise<number> {
    const pid = await this.ask("upgrade", { ...(to !== undefined && { to }) }) as number;
    this.track(pid);
    return pid;
  }

  /** A process that has to be gone when it is over. */
  track(pid: number): void {
    this.#pids.add(pid);
  }

  /** Runs `portico ctl`. */
  async ctl(...words: readonly string[]): Promise<CommandResult> {
    return await portico("ctl", ...words, "--manifest", this.file);
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
    return await askOnce(this.#scope, endpoint, "version?");
  }

  async #end(): Promise<void> {
    for (const pid of this.#pids) {
      try {
        sendSignal(pid, "SIGKILL");
      } catch {
        // It has ended in order.
      }
    }
    await this.process.kill();
  }
}

/** Asks time and again, each time for the answer; every one has to come. */
export function askRepeatedly(
  client: { ask(bytes: string, endpoint: string): Promise<Uint8Array> },
  endpoint: string,
): { stop(): Promise<number> } {
  let going = true;
  let count = 0;
  const done = (async () => {
    while (going) {
      const text = `question ${++count}`;
      const answer = new TextDecoder().decode(await client.ask(text, endpoint));
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
