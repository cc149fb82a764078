/** One place where a service lives: the plugin started once, and the endpoints, in this thread. */
import type { BindableEndpoint, DatagramSocket, Listener } from "../core/contract.ts";
import type { Address } from "../core/endpoint.ts";
import { kindOf } from "../core/endpoint.ts";
import { LAST_WORDS } from "../core/drain.ts";
import { hookError, makeLogger, startPlugin } from "../core/hooks.ts";
import { Packets } from "../core/packets.ts";
import { Pipeline } from "../core/pipeline.ts";
import type { ListenPlan } from "../core/plan.ts";
import type { Hooks } from "../core/plugin.ts";
import { Service } from "../core/service.ts";
import type { Host, ReadyService, RunningService, ServiceStatus } from "./strategy.ts";

/** Starts a service here. @throws PorticoError, with nothing left behind. */
export async function startHere(ready: ReadyService, host: Host): Promise<RunningService> {
  const { plan, plugin, options, log } = ready;
  const ending = new AbortController();
  const context = {
    options,
    service: plan.name,
    log: makeLogger(log, plan.name),
    signal: ending.signal,
  };
  const hooks = await startPlugin(plugin.name, () => plugin.start(context), plan.limits.start);
  const place = new Place(ready, host, hooks, ending);
  try {
    for (const listen of plan.listen) await place.open(listen);
  } catch (error) {
    await place.stop(0);
    throw error;
  }
  return place;
}

class Place implements RunningService {
  readonly #service: Service;
  readonly #host: Host;
  readonly #ending: AbortController;
  readonly #streams: Pipeline;
  readonly #packets: Packets;
  readonly #sockets: (Listener | DatagramSocket)[] = [];
  #stopped: Promise<void> | undefined = undefined;
  /** {@link stop} was called a second time. */
  readonly #hurried = Promise.withResolvers<void>();

  constructor(
    { plan, log }: ReadyService,
    host: Host,
    hooks: Hooks<unknown>,
    ending: AbortController,
  ) {
    const { adapter, gather, nextId } = host;
    const { lends } = adapter.features;
    this.#service = new Service({ plan, hooks, log, gather, lends, nextId });
    this.#host = host;
    this.#ending = ending;
    this.#streams = new Pipeline(this.#service);
    this.#packets = new Packets(this.#service);
  }

  get addresses(): readonly Address[] {
    return this.#sockets.map((socket) => socket.address);
  }

  async open({ endpoint, options }: ListenPlan): Promise<void> {
    const { adapter } = this.#host;
    const place = endpoint as BindableEndpoint;
    const socket = kindOf(endpoint.transport) === "datagram"
      ? await adapter.bind(place, this.#packets.table, options)
      : await adapter.listen(place, this.#streams.table, options);
    this.#sockets.push(socket);
    this.#service.log.emit("info", "listening", {
      service: this.#service.plan.name,
      endpoint: String(socket.address),
    });
  }

  status(): ServiceStatus {
    return {
      service: this.#service.plan.name,
      endpoints: this.addresses.map(String),
      live: this.#streams.deadlines.count + this.#packets.live,
      ...this.#service.counters,
    };
  }

  stop(limit: number): Promise<void> {
    if (this.#stopped === undefined) this.#stopped = this.#end(limit);
    else {
      this.#hurried.resolve();
      void Promise.all([this.#streams.drain(limit), this.#packets.drain(limit)]);
    }
    return this.#stopped;
  }

  async #end(limit: number): Promise<void> {
    const { hooks, log, plan } = this.#service;
    const live = this.#streams.deadlines.count + this.#packets.live;
    if (live > 0) log.emit("info", "drain", { service: plan.name, live, limitMs: limit });
    const listeners = this.#sockets.filter((socket) => !("send" in socket));
    await Promise.all(listeners.map((listener) => listener.close()));
    // Datagram sockets stay open until what they received is answered.
    await Promise.all([this.#streams.drain(limit), this.#packets.drain(limit)]);
    await Promise.all(this.#sockets.map((socket) => socket.close()));
    this.#ending.abort(new DOMException("the service stops", "AbortError"));
    if (hooks.stop !== undefined) await this.#stopPlugin(() => hooks.stop!());
  }

  /** Runs the plugin's `stop`. It has all the time that it wants, until somebody is in a hurry. */
  async #stopPlugin(stop: () => void | Promise<void>): Promise<void> {
    let over = false;
    let timer: ReturnType<typeof setTimeout> | undefined;
    const late = new Promise<never>((_, reject) => {
      const giveUp = (): void => reject(new Error(`stop did not return within ${LAST_WORDS} ms`));
      this.#hurried.promise.then(() => {
        if (!over) timer = setTimeout(giveUp, LAST_WORDS);
      });
    });
    try {
      await Promise.race([stop(), late]);
    } catch (error) {
      this.#service.report(hookError(error));
    }
    over = true;
    clearTimeout(timer);
  }
}
