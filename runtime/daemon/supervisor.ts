/** A server with its manifest: what signals, the control socket and file watchers ask for is done here. */
import { fileURLToPath } from "node:url";
import type { Notifier } from "../activation/mod.ts";
import type { RuntimeName } from "../adapter.ts";
import type { Control, RecordsQuery, Reloaded } from "../control/control.ts";
import type { ServerStatus } from "../services/status.ts";
import type { ControlSocket } from "../control/socket.ts";
import type { Adapter } from "../core/contract.ts";
import { messageOf, PorticoError } from "../core/errors.ts";
import { hookError } from "../core/hooks.ts";
import { errorFields } from "../core/log.ts";
import type { ServicePlan } from "../core/plan.ts";
import { matcherUrls } from "../core/prologue/match-plan.ts";
import { keepWorkingDirectory } from "../identity/folder.ts";
import { embeddedFile } from "../modules/embedded.ts";
import type { VersionOf } from "../modules/import.ts";
import { stampOf } from "../modules/stamp.ts";
import type { ReadyService, Server } from "./server.ts";
import { commandOn } from "../adapter.ts";
import type { BanKeeping } from "./ban-keeping.ts";
import type { CertificateKeeping } from "./certificate-keeping.ts";
import { Policy } from "./policy.ts";
import type { Journal } from "./journal.ts";
import { ModuleVersions } from "./module-versions.ts";
import { type LoadedManifest, moduleUrls, residentUrls } from "./loaded-manifest.ts";
import { inManifest } from "./listen-failure.ts";
import { requireDescriptors } from "../strategies/descriptors.ts";
import type { ServerNames } from "../resolver/mod.ts";
import { disabledStatus } from "./entry.ts";
import { checkFixed } from "./fixed.ts";
import { recordRefusal } from "./reload-refusal.ts";
import { startSuccessor } from "./upgrade.ts";
import { runtime, version } from "./version.ts";

/** See `loaded-manifest.ts`. @param versionOf modules that were imported before. */
export type LoadManifest = (versionOf?: VersionOf) => Promise<LoadedManifest>;

/** What a supervisor is made of. */
export interface SupervisorInput {
  /** Reads its manifest anew. */
  readonly load: LoadManifest;
  /** The call that a successor is started by; none where this is part of another program. */
  readonly words?: readonly string[];
  /** The folder to be in when the working directory is no more; when silent it is let be. */
  readonly home?: string;
  /** When it was started, in ms of `performance.now()`. */
  readonly born: number;
  /** Of this process. */
  readonly pid: number;
  readonly adapter: Adapter;
  readonly server: Server;
  readonly journal: Journal;
  readonly bans: BanKeeping;
  readonly notifier: Notifier;
  readonly names: ServerNames;
  readonly certificates: CertificateKeeping;
  /** A successor has its sockets from here on, however this server ends. */
  readonly handed: () => void;
  /** Ends the server. */
  readonly end: (reason: string) => void;
}

/** Of the code that a service is made of. */
function stampOfService(plan: ServicePlan): string {
  return [plan.plugin.url, ...matcherUrls(plan)].map((url) => stampOf(url).stamp).join(" ");
}

export class Supervisor implements Control {
  readonly #input: SupervisorInput;
  readonly #versions: ModuleVersions = new ModuleVersions();
  #manifest: LoadedManifest;
  #load: LoadManifest;
  #control: ControlSocket | undefined = undefined;
  readonly policy: Policy;
  readonly #serving = Promise.withResolvers<void>();
  #serves = false;
  /** One change at a time, in the order in which they were asked for; none before it serves. */
  #last: Promise<unknown> = this.#serving.promise;
  readonly #ending = new AbortController();

  constructor(input: SupervisorInput, manifest: LoadedManifest) {
    this.#input = input;
    this.policy = new Policy(input.server);
    this.#manifest = manifest;
    this.#load = input.load;
  }

  /** The services of a manifest, with their logs. */
  ready({ services }: LoadedManifest): ReadyService[] {
    const { logs } = this.#input.journal;
    return services.map((service) => {
      let stamp: string | undefined;
      return {
        ...service,
        log: logs.get(service.plan.name)!,
        stamp: () => stamp ??= stampOfService(service.plan),
      };
    });
  }

  /** Of the services, as the manifest has them that was read last. */
  get plans(): readonly ServicePlan[] {
    return this.#manifest.plan.services;
  }

  /** It serves: what its code was is remembered, to be compared. */
  began(services: readonly ReadyService[], control: ControlSocket | undefined): void {
    this.#control = control;
    this.#versions.note(moduleUrls(this.#manifest));
    for (const { stamp } of services) stamp?.();
    this.#serves = true;
    this.#serving.resolve();
  }

  /** It ends: nothing is changed any more, and no successor is wanted. */
  close(): void {
    this.#ending.abort();
  }

  /** The files of the manifest, of rules and of the plugins: a change of any of them may be one of the server. */
  files(): string[] {
    return [
      this.#manifest.source.file,
      ...this.#manifest.source.included ?? [],
      ...this.#manifest.plan.files,
      ...moduleUrls(this.#manifest).flatMap((url) => stampOf(url).files),
    ];
  }

  status(): ServerStatus {
    return {
      pid: this.#input.pid,
      version: version(),
      runtime: runtime(),
      manifest: this.#manifest.source.file,
      uptime: Math.floor((performance.now() - this.#input.born) / 1000),
      state: this.#ending.signal.aborted ? "draining" : this.#serves ? "running" : "starting",
      services: this.#input.server.status().concat(
        this.#manifest.plan.disabled.map(disabledStatus),
      ),
      sinks: this.#input.journal.status(),
      bans: this.#input.server.bans.size,
      ...this.#input.certificates.status(),
    };
  }

  /** @param load reads another manifest, from here on, if it can be reloaded. */
  reload(load: LoadManifest = this.#load): Promise<Reloaded> {
    return this.#inTurn(async () => {
      const { server, journal, notifier } = this.#input;
      await notifier.reloading();
      try {
        const result = await this.#reload(load);
        const why = "a package is loaded once: restart or upgrade for what is new";
        const kept = result.kept !== undefined && { why };
        journal.server.emit(kept ? "warn" : "info", "reload", { ...result, ...kept });
        return result;
      } catch (error) {
        recordRefusal(journal.server, error);
        throw error;
      } finally {
        // Sessions of before go on with the log, and the certificates, of before.
        void server.settled().then(() => journal.prune());
        const forget = () => Promise.resolve(this.#input.certificates.keep(this.#manifest.plan));
        void server.settled().then(() => this.#inTurn(forget)).catch(() => {});
        await notifier.ready();
      }
    });
  }

  async #reload(load: LoadManifest): Promise<Reloaded> {
    const { journal, server, adapter, names, certificates } = this.#input;
    const manifest = await load(this.#versions.of);
    requireDescriptors(manifest.plan.services, adapter);
    checkFixed(manifest.plan, this.#manifest.plan);
    await journal.change(manifest.plan.services);
    names.plan = manifest.plan.resolver;
    certificates.refresh();
    try {
      const result = await server.reload(this.ready(manifest));
      this.#manifest = manifest;
      this.#load = load;
      this.#input.bans.change(manifest.plan);
      this.#versions.note(moduleUrls(this.#manifest));
      const kept = this.#versions.changedAndKept(residentUrls(manifest));
      return { ...result, ...(kept.length > 0 && { kept }) };
    } catch (error) {
      names.plan = this.#manifest.plan.resolver;
      await journal.change(this.#manifest.plan.services);
      throw inManifest(error, manifest.source);
    }
  }

  suspend(service?: string): Promise<readonly string[]> {
    return this.#inTurn(() => this.#named(service).suspend(service));
  }

  resume(service?: string): Promise<readonly string[]> {
    return this.#inTurn(() => this.#named(service).resume(service));
  }

  async drain(service?: string): Promise<readonly string[]> {
    return await this.#named(service).drain(service);
  }

  async stop(service?: string): Promise<readonly string[]> {
    const { server, end } = this.#input;
    if (service !== undefined) {
      // It begins in its turn; nobody else has to wait for its sessions.
      const begin = () => Promise.resolve({ stopped: this.#named(service).stopService(service) });
      return await (await this.#inTurn(begin)).stopped;
    }
    const names = server.status().map((status) => status.service);
    this.close();
    // The answer goes out first.
    setTimeout(() => end("control"), 0);
    return names;
  }

  restart(service: string): Promise<readonly string[]> {
    return this.#inTurn(async () => {
      const { journal } = this.#input;
      try {
        return await this.#named(service).restart(service);
      } catch (error) {
        const log = journal.logs.get(service) ?? journal.server;
        const fields = errorFields(hookError(error));
        log.emit("error", "error", { service, ...fields, during: "restart" });
        throw error;
      }
    });
  }

  upgrade(to?: RuntimeName): Promise<number> {
    return this.#inTurn(async () => {
      const { server, journal, notifier, words, adapter, bans, handed, end } = this.#input;
      if (words === undefined) {
        const text = "this server is part of a program: start that anew";
        throw new PorticoError("NOT_SUPPORTED", text);
      }
      if (this.#input.pid === 1) {
        const text =
          "this is process 1: what it is in ends with it; start another container instead";
        throw new PorticoError("NOT_SUPPORTED", text);
      }
      const descriptors = await adapter.descriptors();
      const main = embeddedFile() ??
        fileURLToPath(new URL("../main.ts", import.meta.url).href);
      const command = to === undefined ? adapter.command(main, words) : commandOn(to, main, words);
      await notifier.reloading();
      try {
        await bans.flush();
        const handover = await server.handover();
        const pid = await startSuccessor(
          { handover, control: await this.#controlDuplicate() },
          server.bans,
          this.#input.certificates.ticketKeys(),
          command,
          notifier.variables,
          descriptors,
          this.#ending.signal,
        ).catch((error) => {
          server.ownFiles(true);
          throw error;
        });
        handed();
        this.close();
        // Who asks for more after the answer to this reaches the successor.
        await server.yieldSockets();
        await this.#control?.retire();
        journal.server.emit("info", "reload", { successor: pid, ...(to && { runtime: to }) });
        await notifier.mainPid(pid);
        setTimeout(() => end("upgrade"), 0);
        return pid;
      } catch (error) {
        journal.server.emit("error", "error", {
          ...errorFields(hookError(error)),
          message: messageOf(error),
          during: "upgrade",
        });
        await notifier.ready();
        throw error;
      }
    });
  }

  /** The server, of which something is wanted for one service. @throws PorticoError USAGE for one that is disabled. */
  #named(service: string | undefined): Server {
    if (this.#manifest.plan.disabled.every(({ name }) => name !== service)) {
      return this.#input.server;
    }
    const text = `the service ${JSON.stringify(service)} is disabled in the manifest: take ` +
      `"disable" away there, and "portico ctl reload" starts it`;
    throw new PorticoError("USAGE", text);
  }

  async #controlDuplicate() {
    const control = this.#control;
    if (control === undefined) return undefined;
    const fd = await control.duplicate();
    return { transport: "unix" as const, fd, address: control.address, owned: true };
  }

  logs(query: RecordsQuery, take: (json: string) => void): () => void {
    return this.#input.journal.tap.read(query, take);
  }

  #inTurn<Result>(act: () => Promise<Result>): Promise<Result> {
    const result = this.#last.then(() => {
      if (this.#ending.signal.aborted) {
        throw new PorticoError("NOT_SUPPORTED", "this server is ending");
      }
      const { home } = this.#input;
      if (home !== undefined) keepWorkingDirectory(home);
      return act();
    });
    this.#last = result.catch(() => {});
    return result;
  }
}
