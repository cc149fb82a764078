/** What `portico run` keeps alive: a server with its manifest, its records, and those who steer it. */
import process from "node:process";
import { clearInterval, setInterval } from "node:timers";
import { fileURLToPath } from "node:url";
import {
  inheritedFor,
  isInetd,
  makeNotifier,
  type Notifier,
  untilDone,
} from "../activation/mod.ts";
import { releaseEngine } from "../adapter.ts";
import type { ControlSocket } from "../control/socket.ts";
import { SYSTEM_CLOCK } from "../core/clock.ts";
import type { Adapter } from "../core/contract.ts";
import type { Log } from "../core/log.ts";
import { folderOf } from "../manifest/source.ts";
import { embeddedFile } from "../modules/embedded.ts";
import { BanKeeping } from "./ban-keeping.ts";
import { CertificateKeeping } from "./certificate-keeping.ts";
import { openControlSocket } from "./control-socket.ts";
import { Journal } from "./journal.ts";
import { type LoadedManifest, loadManifest, type ReadSource } from "./loaded-manifest.ts";
import { inManifest } from "./listen-failure.ts";
import { reapOrphans } from "./reaper.ts";
import { ServerOperator } from "./server-operator.ts";
import { Server } from "./server.ts";
import { ServerGroups } from "./server-groups.ts";
import { onSignals, type SignalHandlers } from "./signals.ts";
import { type LoadManifest, Supervisor } from "./supervisor.ts";
import { recordExit, recordUncaught } from "./uncaught.ts";
import { showTryLine } from "./try-line.ts";
import { finishHandover, type Predecessor } from "./upgrade.ts";
import { ServerNames } from "../resolver/mod.ts";
import { becomeUser, userOf } from "./user.ts";
import { runtime, version } from "./version.ts";

/** How `portico run` was called. */
export interface DaemonOptions {
  /** Reads its manifest. */
  readonly read: ReadSource;
  /** The call that a successor is started by, with absolute paths: `run /srv/echo`. */
  readonly words: readonly string[];
  /** What would print lines for people prints JSON. */
  readonly json: boolean;
  /** Reloads when a file of the manifest or of a plugin changes. */
  readonly watch: boolean;
  /** Keeps a status line on the terminal. */
  readonly stats: boolean;
}

/** What it is made of. */
interface DaemonInput {
  readonly options: DaemonOptions;
  readonly manifest: LoadedManifest;
  readonly adapter: Adapter;
  readonly predecessor: Predecessor | undefined;
  readonly journal: Journal;
  readonly operator: ServerOperator;
}

/** Why it ends. */
export interface DaemonEnd {
  /** For the `stop` record: a signal, `control`, `upgrade`, `idle`. */
  readonly reason: string;
  /** A successor has the sockets. */
  readonly handed: boolean;
}

/** A server that runs in this process; disposing of it closes whatever is still open. */
export class Daemon implements AsyncDisposable {
  readonly #input: DaemonInput;
  readonly #notifier: Notifier;
  readonly #server: Server;
  readonly #supervisor: Supervisor;
  readonly #bans: BanKeeping;
  readonly #groups: ServerGroups = new ServerGroups();
  readonly #ended = Promise.withResolvers<DaemonEnd>();
  /** All that has to be closed in the end, the last first. */
  readonly #toClose = new AsyncDisposableStack();
  /** Of these, what ends as soon as the server begins to: file watchers and the status line. */
  readonly #watchers = new DisposableStack();
  #control: ControlSocket | undefined = undefined;
  /** Who goes on with the sockets when this process closes its own. */
  #nextOwner: "predecessor" | "nobody" | "successor";
  #started = false;

  /** Opens the sinks, and puts together what does not need the sockets. @throws PorticoError. */
  static async assemble(
    options: DaemonOptions,
    manifest: LoadedManifest,
    adapter: Adapter,
    predecessor: Predecessor | undefined,
  ): Promise<Daemon> {
    const { umask, services, identity } = manifest.plan;
    if (umask !== undefined) process.umask(umask);
    // Who is not known is told when it would be become.
    const owner = await userOf(identity).catch(() => undefined);
    const operator = new ServerOperator();
    const journal = await Journal.open(services, { adapter, owner }, operator.sink);
    return new Daemon({ options, manifest, adapter, predecessor, journal, operator });
  }

  private constructor(input: DaemonInput) {
    const { options, manifest, adapter, predecessor, journal, operator } = input;
    this.#input = input;
    this.#nextOwner = predecessor === undefined ? "nobody" : "predecessor";
    this.#toClose.defer(() => journal.close());
    const logOf = (service = ""): Log => journal.logs.get(service) ?? journal.server;
    this.#toClose.defer(adapter.onUncaught((thrown) => {
      recordUncaught(thrown, this.#supervisor.plans, logOf);
    }));
    const exited = (code: number): void => recordExit(code, this.#supervisor.plans, journal.server);
    // Before those of the sinks, which write then what they have.
    process.prependListener("exit", exited);
    this.#toClose.defer(() => void process.removeListener("exit", exited));
    this.#toClose.defer(onSignals(this.#signalHandlers()));
    this.#toClose.defer(() => operator.close());
    this.#toClose.defer(keepAlive());
    this.#toClose.defer(() => this.#groups.close());
    this.#toClose.defer(() => this.#closeSockets());
    this.#toClose.use(this.#watchers);
    this.#notifier = makeNotifier(adapter, process.env, (reason) => {
      journal.server.emit("warn", "error", { code: "SEND_FAILED", message: reason, side: "host" });
    });
    const home = folderOf(manifest.source);
    const names = new ServerNames(adapter, manifest.plan.resolver, SYSTEM_CLOCK);
    this.#toClose.defer(() => names.close());
    const certificates = new CertificateKeeping(journal, predecessor?.ticketKeys);
    this.#toClose.defer(() => certificates.close());
    this.#server = new Server({
      adapter,
      operator,
      certificates: certificates.get,
      worker: embeddedFile() ?? fileURLToPath(new URL("../worker.ts", import.meta.url).href),
      home,
      names: names.get,
      groups: this.#groups.get,
      inherit: async ({ endpoint }) => inheritedFor(endpoint, await adapter.descriptors()),
    });
    this.#bans = new BanKeeping(this.#server.bans, journal);
    this.#toClose.defer(() => this.#bans.close());
    const { read, json, watch } = options;
    const words = [...options.words, ...(json ? ["--json"] : []), ...(watch ? ["--watch"] : [])];
    const load: LoadManifest = (versionOf) => loadManifest(read, { json }, versionOf);
    const [server, notifier] = [this.#server, this.#notifier];
    const end = (reason: string): void => this.#end(reason);
    const handed = (): void => {
      this.#nextOwner = "successor";
      this.#bans.give();
    };
    this.#supervisor = new Supervisor(
      {
        load,
        words,
        home,
        born: 0,
        pid: process.pid,
        adapter,
        server,
        journal,
        bans: this.#bans,
        notifier,
        names,
        certificates,
        handed,
        end,
      },
      manifest,
    );
    operator.attach(this.#supervisor, () => server.measure());
  }

  /** Resolves when a signal, an operator or inetd's peer wants the server to end. */
  get ended(): Promise<DaemonEnd> {
    return this.#ended.promise;
  }

  /** Opens the sockets and starts the services. @throws PorticoError. */
  async start(): Promise<void> {
    const { manifest, adapter, predecessor, journal, options } = this.#input;
    const { plan } = manifest;
    const inetd = plan.services.some(isInetd);
    journal.server.emit("info", "start", {
      runtime: runtime(),
      version: version(),
      pid: process.pid,
    });
    this.#toClose.defer(await reapOrphans(adapter));
    // First of all: a second server of this manifest shall hear of the first one, not of a port in use.
    if (!inetd) await this.#openControl();
    const services = this.#supervisor.ready(manifest);
    await this.#bans.open(plan, predecessor);
    await this.#server.start(services, predecessor?.handover).catch((error) => {
      throw inManifest(error, manifest.source);
    });
    this.#started = true;
    await becomeUser(plan.identity, adapter, (identity) => this.#groups.give(identity));
    // Whoever waits for "ready" may change a file at once.
    if (options.watch) await this.#watchFiles();
    journal.server.emit("info", "ready", {});
    if (!options.json && !inetd && predecessor === undefined) {
      showTryLine(plan.services, this.#server.endpoints[0]?.address);
    }
    this.#supervisor.began(services, this.#control);
    await this.#succeed();
    await this.#notifier.ready();
    releaseEngine();
    if (options.stats) await this.#showStats();
    if (inetd) void this.#endWhenIdle();
  }

  /** Stops accepting, lets the sessions end, closes. */
  async stop({ reason, handed }: DaemonEnd): Promise<void> {
    if (handed) this.#nextOwner = "successor";
    this.#watchers.dispose();
    await this.#notifier.stopping();
    // It may have got ready after a signal has come.
    const keep = this.#nextOwner === "successor";
    // A successor has the control socket already; else whoever looks on hears when it is over.
    if (keep) await this.#control?.close(true);
    await this.#server.stop(keep);
    this.#input.journal.server.emit("info", "stop", { reason });
    await this.#control?.close(keep);
  }

  /** Closes at once what is left, in whatever state the start or the stop has left it. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#toClose.disposeAsync();
  }

  #end(reason: string): void {
    this.#ended.resolve({ reason, handed: this.#nextOwner === "successor" });
  }

  #signalHandlers(): SignalHandlers {
    return {
      stop: (signal) => {
        this.#supervisor.close();
        this.#end(signal);
      },
      kill: () => this.#started ? this.#kill() : process.exit(1),
      reload: () => {
        this.#input.journal.reopen();
        void this.#reload();
      },
      status: () => this.#recordStatus(),
    };
  }

  /** What a successor has stays. */
  #kill(): void {
    void this.#server.kill(this.#nextOwner === "successor");
  }

  #recordStatus(): void {
    for (const { service, ...status } of this.#server.status()) {
      this.#input.journal.logs.get(service)?.emit("info", "status", { service, ...status });
    }
  }

  /** Never rejects: a reload that fails has left a record. */
  #reload(): Promise<void> {
    return this.#supervisor.reload().then(() => {}, () => {});
  }

  async #openControl(): Promise<void> {
    const { manifest, adapter, predecessor, journal } = this.#input;
    this.#control = await openControlSocket(
      this.#supervisor,
      manifest,
      adapter,
      predecessor?.control,
      journal.server,
    );
  }

  async #watchFiles(): Promise<void> {
    const { watchFiles } = await import("./watch.ts");
    this.#watchers.defer(watchFiles(() => this.#supervisor.files(), () => this.#reload()));
  }

  /** The predecessor hears that it can end; from here on its sockets are ours. */
  async #succeed(): Promise<void> {
    const { predecessor, adapter } = this.#input;
    if (predecessor === undefined) return;
    this.#nextOwner = "nobody";
    this.#server.ownFiles(true);
    await finishHandover(predecessor, this.#control, adapter);
  }

  async #showStats(): Promise<void> {
    const { showStats } = await import("./stats.ts");
    this.#watchers.defer(showStats(() => this.#server.status()));
  }

  async #endWhenIdle(): Promise<void> {
    await untilDone(this.#input.manifest.plan.services, () => this.#server.status());
    this.#end("idle");
  }

  async #closeSockets(): Promise<void> {
    await Promise.all([
      this.#nextOwner === "predecessor"
        ? this.#server.undo()
        : this.#server.kill(this.#nextOwner === "successor"),
      this.#control?.close(this.#nextOwner !== "nobody"),
      this.#notifier.close(),
    ]);
  }
}

/** A server of which nothing keeps the event loop alive (FFI sockets) is a server all the same. */
function keepAlive(): () => void {
  const timer = setInterval(() => {}, 2 ** 30);
  return () => clearInterval(timer);
}
