/** A server with the services of cases, which come and go by reloads while it runs. */
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Case, Transport } from "./case.ts";
import { NameServer } from "../support/name-server.ts";
import { ZONES } from "./zones.ts";
import { ManagedServer, type ServerProcess, Shared, type StrategyName } from "./support.ts";

const PLUGIN = fileURLToPath(new URL("./plugin.ts", import.meta.url).href);

/** Under every strategy one session has the turn, as under `serial`. */
const CONCURRENCY: Readonly<Record<StrategyName, object>> = {
  serial: { strategy: "serial" },
  async: { strategy: "async", max: 1 },
  threads: { strategy: "threads", workers: 1, max: 1 },
  processes: { strategy: "processes", workers: 1, max: 1 },
  spawn: { strategy: "spawn", max: 1 },
};

export class House {
  readonly site: ManagedServer;
  readonly strategy: StrategyName;
  /** What the rules about names ask. */
  names!: NameServer;
  readonly #scope: Shared;
  readonly #services: Record<string, Record<string, unknown>> = {
    // A server has to have a service.
    keeper: { plugin: "echo", listen: "unix:./keeper.sock" },
  };

  #last: Promise<void> = Promise.resolve();

  private constructor(strategy: StrategyName) {
    this.strategy = strategy;
    this.#scope = new Shared();
    this.site = ManagedServer.prepare(this.#scope, {});
  }

  /** @param services what it starts with. */
  static async open(
    strategy: StrategyName,
    services: ReadonlyMap<string, readonly [Case, Transport]> = new Map(),
  ): Promise<House> {
    const house = new House(strategy);
    try {
      house.names = await NameServer.start(house.#scope, ZONES);
      for (const [name, [kase, transport]] of services) house.#put(name, kase, transport);
      house.#write();
      await house.site.startAs({});
      return house;
    } catch (error) {
      await house.close();
      throw error;
    }
  }

  get server(): ServerProcess {
    return this.site.process;
  }

  /** It runs: no case has brought it down. */
  get alive(): boolean {
    return this.server.exit === undefined;
  }

  /** The folder that a service and its tests share. */
  folder(name: string): string {
    return join(this.site.home, name);
  }

  #put(name: string, kase: Case, transport: Transport): void {
    mkdirSync(this.folder(name));
    this.#services[name] = {
      plugin: PLUGIN,
      listen: transport.startsWith("unix")
        ? `${transport}:./${name}.sock`
        : `${transport}://127.0.0.1:0`,
      concurrency: CONCURRENCY[this.strategy],
      limits: { drain: "20s", hold: "20s", ...kase.limits },
      ...(kase.access !== undefined && { access: kase.access }),
      ...(kase.banner !== undefined && { banner: kase.banner }),
      ...(kase.proxyProtocol !== undefined && { proxyProtocol: kase.proxyProtocol }),
      options: { folder: this.folder(name), version: 1 },
    };
  }

  #write(): void {
    const resolver = { servers: [this.names.address], timeout: "1s" };
    this.site.write(this.#services, { resolver });
  }

  /** One change of the manifest after the other: nobody reads it while it is written. */
  #reload(change: () => void): Promise<void> {
    const done = this.#last.then(async () => {
      change();
      this.#write();
      await this.site.reload();
    });
    this.#last = done.catch(() => {});
    return done;
  }

  async add(services: ReadonlyMap<string, readonly [Case, Transport]>): Promise<void> {
    await this.#reload(() => {
      for (const [name, [kase, transport]] of services) this.#put(name, kase, transport);
    });
  }

  async remove(names: Iterable<string>): Promise<void> {
    await this.#reload(() => {
      for (const name of names) delete this.#services[name];
    });
  }

  /** Reloads, with other options of one service. */
  async change(name: string): Promise<number> {
    const options = this.#services[name]!["options"] as { folder: string; version: number };
    const version = options.version + 1;
    await this.#reload(() => {
      this.#services[name] = { ...this.#services[name], options: { ...options, version } };
    });
    return version;
  }

  /** Reloads a manifest that is as it was. */
  async reload(): Promise<void> {
    await this.#reload(() => {});
  }

  /** Ends the server, however it is. */
  async close(): Promise<void> {
    await this.#scope.close();
  }
}
