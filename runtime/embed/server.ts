/** What `serve` has started: a server without a process of its own. */
import process from "node:process";
import { clearInterval, setInterval } from "node:timers";
import { fileURLToPath } from "node:url";
import { inheritedFor, makeNotifier } from "../activation/mod.ts";
import { SYSTEM_CLOCK } from "../core/clock.ts";
import type { Adapter } from "../core/contract.ts";
import type { Address, Transport } from "../core/endpoint.ts";
import { PorticoError } from "../core/errors.ts";
import { BanKeeping } from "../daemon/ban-keeping.ts";
import { CertificateKeeping } from "../daemon/certificate-keeping.ts";
import { openControlSocket } from "../daemon/control-socket.ts";
import { Journal } from "../daemon/journal.ts";
import type { LoadedManifest } from "../daemon/loaded-manifest.ts";
import { ServerOperator } from "../daemon/server-operator.ts";
import { Server } from "../daemon/server.ts";
import { type LoadManifest, Supervisor } from "../daemon/supervisor.ts";
import { runtime, version } from "../daemon/version.ts";
import { ServerNames } from "../resolver/mod.ts";
import { requireDescriptors } from "../strategies/descriptors.ts";
import type { EmbeddedServer } from "./contract.ts";

/** Where its manifests come from, and what ends it. */
export interface Origin {
  readonly loadFrom: (manifest: unknown) => LoadManifest;
  readonly load: LoadManifest;
  readonly signal: AbortSignal | undefined;
}

/**
 * Starts a server, and resolves when it serves.
 *
 * @throws PorticoError when it cannot start, or the signal's reason; nothing is left then.
 */
export async function startEmbedded(
  adapter: Adapter,
  loaded: LoadedManifest,
  origin: Origin,
): Promise<EmbeddedServer> {
  requireDescriptors(loaded.plan.services, adapter);
  const operator = new ServerOperator();
  const journal = await Journal.open(loaded.plan.services, { adapter }, operator.sink);
  const server = new ServerInProgram(adapter, loaded, origin, operator, journal);
  try {
    await server.start(loaded);
    origin.signal?.throwIfAborted();
    return server;
  } catch (error) {
    await server.kill();
    origin.signal?.throwIfAborted();
    throw error;
  }
}

class ServerInProgram implements EmbeddedServer {
  readonly #adapter: Adapter;
  readonly #origin: Origin;
  readonly #journal: Journal;
  readonly #server: Server;
  readonly #supervisor: Supervisor;
  readonly #bans: BanKeeping;
  readonly #finished = Promise.withResolvers<void>();
  /** All that has to be closed in the end, the last first. */
  readonly #toClose = new AsyncDisposableStack();
  #ending = false;

  constructor(
    adapter: Adapter,
    loaded: LoadedManifest,
    origin: Origin,
    operator: ServerOperator,
    journal: Journal,
  ) {
    this.#adapter = adapter;
    this.#origin = origin;
    this.#journal = journal;
    const names = new ServerNames(adapter, loaded.plan.resolver, SYSTEM_CLOCK);
    const certificates = new CertificateKeeping(journal);
    const server = this.#server = new Server({
      adapter,
      operator,
      certificates: certificates.get,
      names: names.get,
      worker: fileURLToPath(new URL("../worker.ts", import.meta.url).href),
      inherit: async ({ endpoint }) => inheritedFor(endpoint, await adapter.descriptors()),
    });
    this.#bans = new BanKeeping(server.bans, journal);
    this.#supervisor = new Supervisor({
      load: origin.load,
      born: performance.now(),
      pid: process.pid,
      adapter,
      server,
      journal,
      names,
      certificates,
      bans: this.#bans,
      // systemd has started the program, and hears of it from nobody else.
      notifier: makeNotifier(adapter, {}),
      handed() {},
      end: (reason) => void this.#end(reason, false),
    }, loaded);
    operator.attach(this.#supervisor, () => server.measure());
    this.#toClose.defer(() => journal.close());
    this.#toClose.defer(() => this.#bans.close());
    this.#toClose.defer(() => operator.close());
    this.#toClose.defer(() => names.close());
    this.#toClose.defer(() => certificates.close());
    this.#toClose.defer(keepAlive());
  }

  get finished(): Promise<void> {
    return this.#finished.promise;
  }

  async start(loaded: LoadedManifest): Promise<void> {
    const { server: log } = this.#journal;
    log.emit("info", "start", { runtime: runtime(), version: version(), pid: process.pid });
    this.#endOnAbort();
    const control = await this.#openControl(loaded);
    const services = this.#supervisor.ready(loaded);
    await this.#bans.open(loaded.plan, undefined);
    await this.#server.start(services);
    log.emit("info", "ready", {});
    this.#supervisor.began(services, control);
  }

  async #openControl(loaded: LoadedManifest) {
    if (typeof loaded.plan.control !== "string") return undefined;
    const { server: log } = this.#journal;
    const control = await openControlSocket(
      this.#supervisor,
      loaded,
      this.#adapter,
      undefined,
      log,
    );
    this.#toClose.defer(() => control?.close());
    return control;
  }

  #endOnAbort(): void {
    const { signal } = this.#origin;
    if (signal === undefined) return;
    const abort = (): void => void this.#end("signal", false);
    signal.addEventListener("abort", abort, { once: true });
    this.#toClose.defer(() => signal.removeEventListener("abort", abort));
  }

  address(service: string, transport?: Transport): Address {
    const found = this.addresses(service)
      .filter((address) => transport === undefined || address.transport === transport);
    if (found.length === 1) return found[0]!;
    const all = this.addresses(service).join(", ");
    const asked = transport === undefined ? "" : ` by ${transport}`;
    const [what, remedy] = found.length === 0
      ? [`nowhere${asked}`, all === "" ? "" : `; it listens at ${all}`]
      : [`at ${found.join(", ")}`, "; say which transport, or take addresses()"];
    throw new PorticoError(
      "USAGE",
      `the service ${JSON.stringify(service)} listens ${what}${remedy}`,
    );
  }

  addresses(service: string): readonly Address[] {
    const { services } = this.#supervisor.status();
    if (!services.some((one) => one.service === service)) {
      const known = services.map((one) => one.service).join(", ");
      throw new PorticoError("USAGE", `there is no service ${JSON.stringify(service)}: ${known}`);
    }
    return this.#server.endpoints.filter((one) => one.service === service)
      .map(({ address }) => address);
  }

  status() {
    return this.#supervisor.status();
  }

  reload(manifest?: unknown) {
    return this.#supervisor.reload(
      manifest === undefined ? undefined : this.#origin.loadFrom(manifest),
    );
  }

  suspend(service?: string) {
    return this.#supervisor.suspend(service);
  }

  resume(service?: string) {
    return this.#supervisor.resume(service);
  }

  drain(service?: string) {
    return this.#supervisor.drain(service);
  }

  restart(service: string) {
    return this.#supervisor.restart(service);
  }

  async stop(service?: string): Promise<void> {
    if (service !== undefined) return void await this.#supervisor.stop(service);
    await this.#end("program", false);
  }

  async kill(): Promise<void> {
    await this.#end("program", true);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }

  /** @param now nobody is waited for, nor any longer. */
  async #end(reason: string, now: boolean): Promise<void> {
    const first = !this.#ending;
    this.#ending = true;
    this.#supervisor.close();
    await (now ? this.#server.kill() : this.#server.stop());
    if (!first) return await this.finished;
    this.#journal.server.emit("info", "stop", { reason });
    await this.#toClose.disposeAsync().finally(() => this.#finished.resolve());
  }
}

/** A server of which nothing keeps the event loop alive (FFI sockets) is a server all the same. */
function keepAlive(): () => void {
  const timer = setInterval(() => {}, 2 ** 30);
  return () => clearInterval(timer);
}
