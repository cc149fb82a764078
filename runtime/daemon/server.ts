/** The services of a manifest, running: started, replaced, suspended, stopped. */
import type { Reloaded } from "../control/control.ts";
import type { ServiceStatus } from "../services/status.ts";
import type { Address } from "../core/endpoint.ts";
import { PorticoError } from "../core/errors.ts";
import type { ServicePlan } from "../core/plan.ts";
import type { Handover, SocketsByText } from "../services/handover.ts";
import { executorOf } from "../strategies/mod.ts";
import type { Bans } from "../services/bans/bans.ts";
import type { ReadyService } from "../services/contract.ts";
import { RunningService } from "../services/running.ts";
import { completeHost } from "./host.ts";
import {
  checkNeeds,
  compare,
  type Difference,
  duplicatesOf,
  handOver,
  inService,
  nameOf,
  noService,
  sendersLast,
  type ServiceEntry,
  statusOf,
  textsOf,
  undo,
} from "./entry.ts";
import { leaveInOrder, receivers } from "./receivers.ts";

export type { ReadyService } from "../services/contract.ts";

export class Server {
  readonly #host: ReturnType<typeof completeHost>;
  readonly #entries: Map<string, ServiceEntry> = new Map();
  /** Those that a change has started, until it is made. */
  #fresh: ReadonlyMap<string, ServiceEntry> = new Map();
  /** Services that were replaced or removed, until their sessions have ended. */
  readonly #leaving: Map<ServiceEntry, Promise<void>> = new Map();
  /** Stopped by an operator; the next reload that changes them starts them again. */
  readonly #stopped: Map<string, ServiceEntry> = new Map();
  /** The reload that is under way. */
  #change: Promise<unknown> = Promise.resolve();
  #ending = false;
  #measures = false;
  /** The socket files are ours, and not those of a predecessor or a successor. */
  #owns = true;
  readonly #hurried = Promise.withResolvers<void>();

  /** @param host what services share; the rest of it is made here. */
  constructor(host: Parameters<typeof completeHost>[0]) {
    this.#host = {
      ...completeHost(host),
      receiver: receivers(this.#entries, () => this.#fresh, this.#leaving),
    };
  }

  /** Who is shut out of all services. */
  get bans(): Bans {
    return this.#host.bans;
  }

  /** All that have sessions: what was replaced, too, after what came in its place. */
  get running(): readonly RunningService[] {
    return [...this.#entries.values(), ...this.#leaving.keys()].map(({ running }) => running);
  }

  get endpoints(): { readonly service: string; readonly address: Address }[] {
    return [...this.#entries].flatMap(([service, { running }]) =>
      running.addresses.map((address) => ({ service, address }))
    );
  }

  /**
   * Starts services in their order; when one fails, those before it are stopped again.
   *
   * @param handover the sockets of a predecessor, which become ours; their files do with
   * {@link ownFiles}. Those that nobody has taken stay in it, closed.
   * @throws PorticoError that names the service.
   */
  async start(services: readonly ReadyService[], handover?: Handover): Promise<void> {
    this.#owns = handover === undefined;
    await handOver(this.#host.adapter, handover ?? new Map(), services, async (distributed) => {
      this.#checkEnd();
      checkNeeds(services, this.#host.adapter);
      for (const ready of sendersLast(services)) {
        const { name } = ready.plan;
        this.#entries.set(name, await this.#begin(ready, distributed.get(name)!, undefined));
      }
    }, this.#entries);
  }

  /**
   * Makes the running services those that are given: only what has changed is touched. One that has
   * is started anew on its own sockets, then the old one's sessions end. All or nothing as far as
   * starting goes.
   *
   * @throws PorticoError that names the service which cannot be started; all is as it was then.
   */
  async reload(services: readonly ReadyService[]): Promise<Reloaded> {
    this.#checkEnd();
    checkNeeds(services, this.#host.adapter);
    const difference = compare(services, this.#entries, this.#stopped);
    await this.#replace(difference);
    return difference.result;
  }

  /**
   * Starts a service anew on its own sockets, then the old one's sessions end; one that was stopped is
   * started. All or nothing, as {@link reload}.
   */
  async restart(name: string): Promise<string[]> {
    this.#checkEnd();
    const { ready } = this.#stopped.get(name) ?? this.#chosen(name)[0]!;
    const leave = [...this.#entries].filter(([one]) => one === name);
    const names = new Set([...this.#entries.keys(), ...this.#stopped.keys()]);
    await this.#replace({ changed: [ready], leave, names });
    ready.log.emit("info", "reload", { service: name, restarted: true });
    return [name];
  }

  #replace(difference: Omit<Difference, "result">): Promise<void> {
    const replaced = this.#exchange(difference).finally(() => this.#fresh = new Map());
    this.#change = replaced.catch(() => {});
    return replaced;
  }

  async #exchange({ changed, leave, names }: Omit<Difference, "result">): Promise<void> {
    const handover = await duplicatesOf(changed.length > 0 ? leave : []);
    const fresh = new Map<string, ServiceEntry>();
    this.#fresh = fresh;
    const closing: Promise<void>[] = [];
    await handOver(this.#host.adapter, handover, changed, async (distributed) => {
      for (const ready of sendersLast(changed)) {
        const { name } = ready.plan;
        const old = this.#entries.get(name) ?? this.#stopped.get(name);
        fresh.set(name, await this.#begin(ready, distributed.get(name)!, old));
        this.#checkEnd();
      }
      for (const [name, entry] of leave) {
        this.#entries.delete(name);
        // What nobody has taken over is closed for good.
        const texts = handover.get(name)?.keys() ?? textsOf(entry.ready);
        closing.push(entry.running.abandon([...texts]));
      }
      leaveInOrder(leave, fresh, (entry, senders) => this.#leave(entry, true, senders));
      for (const [name, entry] of fresh) {
        this.#entries.set(name, entry);
        entry.running.admission.activate();
      }
      for (const name of this.#stopped.keys()) {
        if (fresh.has(name) || !names.has(name)) this.#stopped.delete(name);
      }
    }, fresh);
    await Promise.all(closing);
  }

  async #begin(
    ready: ReadyService,
    sockets: SocketsByText,
    old: ServiceEntry | undefined,
  ): Promise<ServiceEntry> {
    const inherited = new Set(sockets.keys());
    try {
      const takeover = { sockets, admission: old?.running.admission, totals: old?.running.totals };
      const executor = executorOf(ready.plan);
      const running = await RunningService.start(ready, this.#host, takeover, executor);
      if (this.#measures) running.measure();
      running.ownFiles(this.#owns);
      return { ready, running, inherited };
    } catch (error) {
      throw inService(ready.plan, error);
    }
  }

  /** Its sessions have their time; nobody waits for them but {@link stop}. */
  #leave(entry: ServiceEntry, keep: boolean, senders?: Promise<unknown>): Promise<void> {
    const left = entry.running.stop(entry.ready.plan.limits.drain, keep, senders)
      .then(() => void this.#leaving.delete(entry));
    this.#leaving.set(entry, left);
    return left;
  }

  /** Resolves when no service that was replaced or removed is left. */
  async settled(): Promise<void> {
    while (this.#leaving.size > 0) await Promise.all(this.#leaving.values());
  }

  #checkEnd(): void {
    if (this.#ending) throw new PorticoError("NOT_SUPPORTED", "this server is ending");
  }

  /** Of each service; what was replaced, and still has sessions, counts with what came after it. */
  status(): ServiceStatus[] {
    return statusOf(new Map([...this.#entries, ...this.#stopped]), [...this.#leaving.keys()]);
  }

  /** Somebody wants metrics: see {@link RunningService.measure}. */
  measure(): void {
    this.#measures = true;
    for (const { running } of [...this.#entries.values(), ...this.#leaving.keys()]) {
      running.measure();
    }
  }

  /** See {@link RunningService.yieldSockets}. */
  async yieldSockets(): Promise<void> {
    await Promise.all([...this.#entries.values()].map(({ running }) => running.yieldSockets()));
  }

  /** The service of this name, or all. @throws PorticoError USAGE when there is none of this name. */
  #chosen(name: string | undefined): ServiceEntry[] {
    if (name === undefined) return [...this.#entries.values()];
    const found = this.#entries.get(name);
    if (found !== undefined) return [found];
    throw noService(name, [...this.#entries.keys()], this.#stopped.has(name));
  }

  async #each(
    name: string | undefined,
    event: "suspend" | "resume" | undefined,
    act: (entry: ServiceEntry) => Promise<void>,
  ): Promise<string[]> {
    this.#checkEnd();
    const chosen = this.#chosen(name);
    await Promise.all(chosen.map(async (entry) => {
      await act(entry);
      const { log, plan } = entry.ready;
      if (event !== undefined) log.emit("info", event, { service: plan.name });
    }));
    return chosen.map(({ ready }) => ready.plan.name);
  }

  /** See {@link Control.suspend}. */
  suspend(name?: string): Promise<string[]> {
    return this.#each(name, "suspend", ({ running }) => running.suspend());
  }

  /** See {@link Control.resume}. */
  resume(name?: string): Promise<string[]> {
    return this.#each(name, "resume", ({ running }) => running.resume());
  }

  /** See {@link Control.drain}. */
  drain(name?: string): Promise<string[]> {
    return this.#each(
      name,
      undefined,
      ({ running, ready }) => running.drain(ready.plan.limits.drain),
    );
  }

  /** Stops one service, for good. */
  async stopService(name: string): Promise<string[]> {
    const [entry] = this.#chosen(name);
    this.#entries.delete(name);
    this.#stopped.set(name, entry!);
    await this.#leave(entry!, false);
    // What it has replaced may still have the last requests on its sockets.
    await Promise.all(
      [...this.#leaving].filter(([{ ready }]) => nameOf(ready) === name)
        .map(([, left]) => left),
    );
    entry!.ready.log.emit("info", "stop", { service: name, reason: "control" });
    return [name];
  }

  /** Duplicates of all sockets, for a successor; the caller's to close. Their files are the successor's too. */
  async handover(): Promise<Handover> {
    this.#checkEnd();
    const handover = await duplicatesOf(this.#entries);
    this.ownFiles(false);
    return handover;
  }

  /** Whether the socket files are ours from here on: see {@link RunningService.ownFiles}. */
  ownFiles(own: boolean): void {
    this.#owns = own;
    for (const { running } of this.#entries.values()) running.ownFiles(own);
  }

  /**
   * Stops accepting, drains every service for its `limits.drain`, closes. Never rejects.
   *
   * @param keep a successor has the sockets.
   */
  stop(keep = false): Promise<void> {
    return this.#stopAll((plan) => plan.limits.drain, keep);
  }

  /** Closes all at once; sockets that were there before it go on with whoever had them. */
  undo(): Promise<void> {
    this.#ending = true;
    return undo(this.#entries.values());
  }

  /** Closes at once, also what {@link stop} still waits for. `keep` as there. */
  kill(keep = false): Promise<void> {
    for (const { running } of this.#leaving.keys()) void running.stop(0, keep);
    this.#hurried.resolve();
    return this.#stopAll(() => 0, keep);
  }

  async #stopAll(limitOf: (plan: ServicePlan) => number, keep: boolean): Promise<void> {
    this.#ending = true;
    const entries = [...this.#entries.values()].toReversed();
    const stop = ({ ready, running }: ServiceEntry, senders?: Promise<unknown>): Promise<void> =>
      running.stop(limitOf(ready.plan), keep, senders);
    const [senders, others] = [true, false].map((sends) =>
      entries.filter(({ ready }) => (ready.plan.match !== undefined) === sends)
    );
    const sent = Promise.all(senders!.map((entry) => stop(entry)));
    await Promise.all([
      sent,
      ...others!.map((entry) => stop(entry, sent)),
      // A reload notices that this is the end; unless a plugin takes its time to start.
      Promise.race([this.#change, this.#hurried.promise]),
      this.settled(),
    ]);
  }
}
