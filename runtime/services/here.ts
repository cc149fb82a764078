/** `serial` and `async`: a service in this thread, with its sockets. */
import type { AdmitTable, Origin } from "../core/descriptors.ts";
import type { ServiceStatus } from "./status.ts";
import type { BindableEndpoint, DatagramSocket, Listener } from "../core/contract.ts";
import type { HttpListener } from "../core/exchange.ts";
import type { Inherited } from "../core/descriptors.ts";
import type { Address } from "../core/endpoint.ts";
import { PorticoError } from "../core/errors.ts";
import type { ListenPlan } from "../core/plan.ts";
import { Room } from "../core/admission/room.ts";
import { Place } from "./instance.ts";
import { adopting, knowing } from "./credentials.ts";
import { checkKind, type Opener, Sockets } from "./sockets.ts";
import type { Host, Legacy, ReadyService, RunningService } from "./contract.ts";

/** Starts a service here. @throws PorticoError, with nothing left behind. */
export async function startHere(
  ready: ReadyService,
  host: Host,
  legacy: Legacy,
): Promise<RunningService> {
  const room = new Room(ready.plan, legacy.room);
  const place = await Place.start({ ready, host, room });
  const here = new Here(ready, host, place, room);
  try {
    for (const listen of ready.plan.listen) await here.sockets.open(listen, legacy);
  } catch (error) {
    await here.stop(0);
    throw error;
  }
  return here;
}

/** How long HTTP peers that have connected may take to ask, and be answered, when a successor goes on, in ms. */
const LAST_REQUESTS = 1500;

class Here implements RunningService, Opener {
  readonly room: Room;
  readonly sockets: Sockets;
  readonly #ready: ReadyService;
  readonly #host: Host;
  readonly #place: Place;
  #state: ServiceStatus["state"] = "running";
  #stopped: Promise<void> | undefined = undefined;

  constructor(ready: ReadyService, host: Host, place: Place, room: Room) {
    this.#ready = ready;
    this.#host = host;
    this.#place = place;
    this.room = room;
    this.sockets = new Sockets(host, this);
  }

  get addresses(): readonly Address[] {
    return this.sockets.addresses;
  }

  async listen(endpoint: BindableEndpoint, { options, text }: ListenPlan): Promise<Listener> {
    checkKind(this.#ready.plugin, "stream", text);
    const { takings, streams } = this.#place;
    const { adapter } = this.#host;
    const asks = endpoint.transport === "unix" && this.#ready.log.asksUser &&
      adapter.features.descriptors === true;
    if (takings === undefined && !asks) {
      return await adapter.listen(endpoint, streams.table, options);
    }
    const descriptors = await adapter.descriptors();
    const table = takings?.table ?? adopting(descriptors, streams.table);
    return await descriptors.admit(endpoint, asks ? knowing(descriptors, table) : table, options);
  }

  bind(endpoint: BindableEndpoint, { options, text }: ListenPlan): Promise<DatagramSocket> {
    checkKind(this.#ready.plugin, "datagram", text);
    return this.#host.adapter.bind(endpoint, this.#place.packets.table, options);
  }

  serve(endpoint: BindableEndpoint, { options, text }: ListenPlan): Promise<HttpListener> {
    checkKind(this.#ready.plugin, "http", text);
    const { service, requests } = this.#place;
    if (service.hooks.fetch === undefined) {
      const { name } = this.#ready.plugin;
      const why = `${text}: the start of plugin ${JSON.stringify(name)} returned no hook fetch`;
      return Promise.reject(new PorticoError("PLUGIN_INVALID", why));
    }
    return this.#host.adapter.serve(endpoint, requests.table, options);
  }

  async adopt(fd: number, origin: Origin): Promise<void> {
    checkKind(this.#ready.plugin, "stream", String(origin.local));
    const { takings, streams } = this.#place;
    if (takings !== undefined) return (takings.table as AdmitTable).arrive(fd, origin);
    await (await this.#host.adapter.descriptors()).adopt(fd, origin, streams.table, undefined);
  }

  opened(address: Address): void {
    const { plan, log } = this.#ready;
    log.emit("info", "listening", { service: plan.name, endpoint: String(address) });
  }

  status(): ServiceStatus {
    const { plan } = this.#ready;
    this.room.settle();
    return {
      service: plan.name,
      state: this.#state,
      strategy: plan.concurrency.strategy,
      endpoints: this.addresses.map(String),
      workers: [],
      live: this.#place.live,
      held: this.#place.held,
      restarts: this.room.restarts,
      ...this.room.counters,
      tally: this.room.tally,
    };
  }

  duplicates(): Promise<Map<string, Inherited[]>> {
    return this.sockets.duplicates();
  }

  forsake(texts: readonly string[]): Promise<void> {
    return this.sockets.forsake(texts);
  }

  /** It has no workers: the supervisor's event loop is its own. */
  measure(): void {}

  cede(): Promise<void> {
    return this.sockets.shut(true);
  }

  async suspend(): Promise<void> {
    await this.sockets.suspend();
    if (this.#state === "running") this.#state = "suspended";
  }

  async resume(): Promise<void> {
    // A drain that still waits for sessions leaves them alone from here on.
    this.#state = "running";
    this.#place.reopen();
    await this.sockets.resume();
  }

  async drain(limit: number): Promise<void> {
    await this.sockets.suspend();
    this.#state = "draining";
    this.#tell(limit);
    await this.#place.drain(limit);
    if (this.#state === "draining") this.sockets.cut();
    if (this.#state === "draining" && this.#stopped === undefined) this.#state = "suspended";
  }

  stop(limit: number, keep = false): Promise<void> {
    if (this.#stopped === undefined) this.#stopped = this.#stop(limit, keep);
    else {
      void this.#place.drain(limit, keep);
      this.#place.hurry();
    }
    return this.#stopped;
  }

  async #stop(limit: number, keep: boolean): Promise<void> {
    this.#state = "draining";
    this.#tell(limit);
    await this.sockets.shut(keep);
    // Datagram sockets stay open until what they received is answered.
    await this.#place.drain(limit, keep);
    if (keep && limit > 0) {
      // Some have only connected by now.
      const late = Promise.withResolvers<void>();
      const timer = setTimeout(late.resolve, LAST_REQUESTS);
      await Promise.race([this.sockets.settled(), late.promise]);
      clearTimeout(timer);
      await this.#place.drain(limit, keep);
    }
    await this.sockets.close(keep);
    await this.#place.end();
    this.#state = "stopped";
  }

  #tell(limitMs: number): void {
    const { live } = this.#place;
    const { plan, log } = this.#ready;
    if (live > 0) log.emit("info", "drain", { service: plan.name, live, limitMs });
  }
}
