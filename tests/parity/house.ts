/** A server with the services of cases, which come and go by reloads while it runs. */
import { copyFileSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Case, Transport } from "./case.ts";
import { NameServer } from "../support/name-server.ts";
import { ZONES } from "./zones.ts";
import {
  type CertificateName,
  certificates,
  ManagedServer,
  type ServerProcess,
  Shared,
  type StrategyName,
} from "./support.ts";

const PLUGIN = fileURLToPath(new URL("./plugin.ts", import.meta.url).href);

/** Under every strategy one session has the turn, as under `serial`. */
const CONCURRENCY: Readonly<Record<StrategyName, object>> = {
  serial: { strategy: "serial" },
  async: { strategy: "async", max: 1 },
  threads: { strategy: "threads", workers: 1, max: 1 },
  processes: { strategy: "processes", workers: 1, max: 1 },
  spawn: { strategy: "spawn", max: 1 },
};

/** Where it listens. Who comes by TLS to a service in front of others comes to a plain one. */
function listenOf(name: string, transport: Transport, kase: Case): string {
  if (transport.startsWith("unix")) return `${transport}:./${name}.sock`;
  const scheme = transport === "tls" && kase.match !== undefined ? "tcp" : transport;
  return `${scheme}://127.0.0.1:0`;
}

/** The name of what is in front of a service, where something is. */
export const frontOf = (name: string): string => `${name}-front`;

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

  /** Whether another service leads to this one. */
  fronted(name: string): boolean {
    return frontOf(name) in this.#services;
  }

  #put(name: string, kase: Case, transport: Transport): void {
    mkdirSync(this.folder(name));
    const { limits, access, banner, fields, proxyProtocol, match } = kase;
    const listen = listenOf(name, transport, kase);
    const secure = transport === "tls" || kase.tls !== undefined;
    if (secure) this.certify(name, "server");
    this.#services[name] = {
      plugin: PLUGIN,
      ...(match === undefined && { listen }),
      concurrency: CONCURRENCY[this.strategy],
      limits: { drain: "20s", hold: "20s", ...limits },
      ...(access !== undefined && { access }),
      ...(banner !== undefined && { banner }),
      ...(fields !== undefined && { log: { type: "json", level: "debug", fields } }),
      ...(proxyProtocol !== undefined && { proxyProtocol }),
      ...(secure &&
        { tls: { cert: `${name}/server.pem`, key: `${name}/server.key`, ...kase.tls } }),
      options: { folder: this.folder(name), version: 1 },
    };
    if (match === undefined) return;
    const { wait = "20s", otherwise, more } = match;
    const routes: object[] = match.routes.map((route) => ({ ...route, service: name }));
    if (otherwise === true) routes.push({ otherwise: name });
    this.#services[frontOf(name)] = { listen, match: { wait, routes }, ...more };
  }

  /** Gives a service another certificate, which is read at the next reload at the latest. */
  certify(name: string, certificate: CertificateName): void {
    const made = certificates();
    for (const ending of ["pem", "key"] as const) {
      copyFileSync(made.file(certificate, ending), join(this.folder(name), `server.${ending}`));
    }
    copyFileSync(made.file("ca"), join(this.site.home, "ca.pem"));
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
      for (const name of names) {
        delete this.#services[name];
        delete this.#services[frontOf(name)];
      }
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
