/** `threads`, `processes`, `spawn`: a service whose sockets are here, and whose sessions are served by workers. */
import { lstatSync } from "node:fs";
import type { ServiceStatus } from "../services/status.ts";
import type { BindableEndpoint, DatagramSocket, Listener, Support } from "../core/contract.ts";
import type { Descriptors, Inherited, Origin } from "../core/descriptors.ts";
import { type Address, kindOf } from "../core/endpoint.ts";
import { PorticoError } from "../core/errors.ts";
import type { ListenPlan, ServicePlan } from "../core/plan.ts";
import { Room } from "../core/admission/room.ts";
import { Service } from "../core/service.ts";
import { Crew } from "../workers/pool.ts";
import type { Policy } from "../workers/launch.ts";
import { Front } from "../workers/dispatcher.ts";
import type { OwnedFile } from "../workers/messages.ts";
import { checkKind, type Opener, Sockets } from "../services/sockets.ts";
import type { Host, Legacy, ReadyService, RunningService, Strategy } from "../services/contract.ts";

/** Makes the start of a strategy whose workers are used in this way. */
export function startWorkers(policy: Policy): Strategy["start"] {
  return async (ready, host, legacy) => {
    const descriptors = await host.adapter.descriptors();
    const room = new Room(ready.plan, legacy.room);
    const workers = new Workers(ready, host, policy, descriptors, room);
    try {
      await workers.start(legacy);
    } catch (error) {
      await workers.stop(0);
      throw error;
    }
    return workers;
  };
}

class Workers implements RunningService, Opener {
  readonly room: Room;
  readonly #ready: ReadyService;
  readonly #host: Host;
  readonly #descriptors: Descriptors;
  readonly #service: Service;
  readonly #sockets: Sockets;
  readonly #crew: Crew;
  readonly #front: Front;
  /** Duplicates of the datagram sockets, for workers to answer from; by the index that sockets carry. */
  readonly #datagrams: { readonly fd: number; readonly address: Address }[] = [];
  #state: ServiceStatus["state"] = "running";
  #stopped: Promise<void> | undefined = undefined;

  constructor(
    ready: ReadyService,
    host: Host,
    policy: Policy,
    descriptors: Descriptors,
    room: Room,
  ) {
    const { plan, log } = ready;
    const { gather, nextId, adapter } = host;
    const { lends } = adapter.features;
    this.room = room;
    this.#ready = ready;
    this.#host = host;
    this.#descriptors = descriptors;
    this.#service = new Service({ plan, hooks: {}, log, gather, lends, nextId, room });
    this.#crew = new Crew({ ready, host, descriptors, policy, failed: () => void this.#fail() });
    this.#front = new Front(this.#service, descriptors, (arrival) => this.#crew.dispatch(arrival));
    this.#sockets = new Sockets(host, this);
  }

  async start(legacy: Legacy): Promise<void> {
    await this.#crew.start(this.#front);
    for (const listen of this.#ready.plan.listen) await this.#sockets.open(listen, legacy);
    const files = this.addresses.flatMap(({ path }) => fileOf(path));
    this.#crew.open({ datagrams: this.#datagrams, files });
  }

  get addresses(): readonly Address[] {
    return this.#sockets.addresses;
  }

  listen(endpoint: BindableEndpoint, { options, text }: ListenPlan): Promise<Listener> {
    checkKind(this.#ready.plugin, "stream", text);
    return this.#descriptors.admit(endpoint, this.#front.streams, options);
  }

  async bind(endpoint: BindableEndpoint, { options, text }: ListenPlan): Promise<DatagramSocket> {
    checkKind(this.#ready.plugin, "datagram", text);
    const socket = await this.#host.adapter.bind(endpoint, this.#front.datagrams, options);
    const { address } = socket;
    // One that is opened again, after a suspension, is the same for the workers.
    const index = this.#datagrams.findIndex((known) => String(known.address) === String(address));
    socket.data = index >= 0 ? index : this.#datagrams.length;
    if (index < 0) this.#datagrams.push({ fd: await socket.duplicate(), address });
    return socket;
  }

  /** {@link lacksHttp} has said so before. */
  serve(_endpoint: BindableEndpoint, { text }: ListenPlan): Promise<never> {
    return Promise.reject(new PorticoError("NOT_SUPPORTED", text));
  }

  adopt(fd: number, origin: Origin): Promise<void> {
    this.#front.streams.arrive(fd, origin);
    return Promise.resolve();
  }

  opened(address: Address): void {
    const { plan, log } = this.#ready;
    log.emit("info", "listening", { service: plan.name, endpoint: String(address) });
  }

  status(): ServiceStatus {
    const { plan } = this.#ready;
    return {
      service: plan.name,
      state: this.#state,
      strategy: plan.concurrency.strategy,
      endpoints: this.addresses.map(String),
      workers: this.#crew.status(),
      live: this.#front.live,
      held: this.#front.held,
      restarts: this.room.restarts,
      ...this.room.counters,
      tally: this.room.tally,
    };
  }

  duplicates(): Promise<Map<string, Inherited[]>> {
    return this.#sockets.duplicates();
  }

  forsake(texts: readonly string[]): Promise<void> {
    return this.#sockets.forsake(texts);
  }

  measure(): void {
    this.#crew.measure();
  }

  cede(): Promise<void> {
    return this.#sockets.shut(true);
  }

  async suspend(): Promise<void> {
    await this.#sockets.suspend();
    if (this.#state === "running") this.#state = "suspended";
  }

  async resume(): Promise<void> {
    this.#front.reopen();
    this.#crew.revive();
    await this.#sockets.resume();
    this.#state = "running";
  }

  /** The workers come to nothing: newcomers wait in the kernel's queues until somebody resumes it. */
  async #fail(): Promise<void> {
    const { plan, log } = this.#ready;
    this.#state = "failed";
    const reason = "ten workers in a row died within a minute";
    log.emit("error", "suspend", { service: plan.name, reason });
    await this.#sockets.suspend();
  }

  async drain(limit: number): Promise<void> {
    await this.#sockets.suspend();
    this.#state = "draining";
    this.#tell(limit);
    const over = await this.#front.drain(limit, false);
    // It was resumed meanwhile, or is stopped.
    if (this.#state !== "draining" || this.#stopped !== undefined) return;
    if (!over) await this.#crew.cut();
    if (this.#state === "draining" && this.#stopped === undefined) this.#state = "suspended";
  }

  stop(limit: number, keep = false): Promise<void> {
    if (this.#stopped === undefined) this.#stopped = this.#stop(limit, keep);
    else {
      void this.#front.drain(limit, keep);
      this.#crew.hurry();
    }
    return this.#stopped;
  }

  async #stop(limit: number, keep: boolean): Promise<void> {
    this.#state = "draining";
    this.#tell(limit);
    await this.#sockets.shut(keep);
    await this.#front.drain(limit, keep);
    await this.#crew.stop(0);
    await this.#sockets.close(keep);
    for (const { fd } of this.#datagrams.splice(0)) this.#descriptors.close(fd);
    this.#front.close();
    this.#state = "stopped";
  }

  #tell(limitMs: number): void {
    const { live } = this.#front;
    const { plan, log } = this.#ready;
    if (live > 0) log.emit("info", "drain", { service: plan.name, live, limitMs });
  }
}

/** HTTP is served where its sockets are; how its connections reach a worker is not settled yet. */
export function lacksHttp({ listen }: ServicePlan): Support {
  if (!listen.some(({ endpoint }) => kindOf(endpoint.transport) === "http")) return true;
  return {
    reason: "workers cannot serve HTTP in this version",
    remedy: `say "concurrency": "async" or "serial" for http endpoints`,
  };
}

/** A socket file as it is now: whoever removes it later must not remove another one of its name. */
function fileOf(path: string): OwnedFile[] {
  if (path === "" || path.startsWith("@")) return [];
  const stat = lstatSync(path, { throwIfNoEntry: false });
  return stat === undefined ? [] : [{ path, dev: stat.dev, ino: stat.ino }];
}
