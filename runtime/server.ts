/** The services of a manifest, running: started, replaced, suspended, stopped. */
import type { Reloaded, ServiceStatus } from "./control/control.ts";
import type { Adapter, Missing } from "./core/contract.ts";
import { missing } from "./core/contract.ts";
import type { Inherited } from "./core/descriptors.ts";
import type { Address } from "./core/endpoint.ts";
import { PorticoError } from "./core/errors.ts";
import { Gather } from "./core/gather.ts";
import type { ServicePlan } from "./core/plan.ts";
import { STRATEGIES } from "./strategies/mod.ts";
import { closeAll } from "./strategies/sockets.ts";
import type { Host, Legacy, ReadyService, RunningService } from "./strategies/strategy.ts";

export type { ReadyService } from "./strategies/strategy.ts";

/** Sockets that are handed on: by service, then by the text of the endpoint. */
export type Estate = Map<string, Map<string, Inherited[]>>;

/** A service that runs, with what it was made from. */
interface Tenant {
  readonly ready: ReadyService;
  readonly running: RunningService;
}

/** Numbers the sessions of this process. */
let sessions = 0;

/** What a service needs that cannot be had here; empty when all is there. Binds nothing. */
export function lacking(plan: ServicePlan, adapter: Adapter): Missing[] {
  const { strategy } = plan.concurrency;
  const support = STRATEGIES[strategy].check(plan, adapter);
  return [
    ...(support === true ? [] : [{ what: strategy, ...support }]),
    ...plan.listen.flatMap(({ endpoint, options, text }) =>
      missing(adapter.features, endpoint, options).map((lack) => ({
        ...lack,
        what: lack.what === endpoint.transport ? text : `${lack.what} of ${text}`,
      }))
    ),
  ];
}

/** "unixgram:/run/x: node:ffi is switched off; start node without --no-experimental-ffi". */
export function describeLack({ what, reason, remedy }: Missing): string {
  return `${what}: ${reason}${remedy === undefined ? "" : `; ${remedy}`}`;
}

export class Server {
  readonly #host: Host;
  readonly #tenants: Map<string, Tenant> = new Map();
  /** Services that were replaced or removed, until their sessions have ended. */
  readonly #leaving: Map<Tenant, Promise<void>> = new Map();
  /** Stopped by an operator; the next reload that changes them starts them again. */
  readonly #stopped: Map<string, Tenant> = new Map();

  /** @param host what services share; the rest of it is made here. */
  constructor(host: Omit<Host, "gather" | "nextId">) {
    this.#host = { ...host, gather: new Gather(host.adapter), nextId: () => ++sessions };
  }

  get endpoints(): { readonly service: string; readonly address: Address }[] {
    return [...this.#tenants].flatMap(([service, { running }]) =>
      running.addresses.map((address) => ({ service, address }))
    );
  }

  /**
   * Starts services in their order; when one fails, those before it are stopped again.
   *
   * @param estate the sockets of a predecessor; what is not taken is closed.
   * @throws PorticoError that names the service.
   */
  async start(services: readonly ReadyService[], estate: Estate = new Map()): Promise<void> {
    this.#check(services);
    try {
      for (const ready of services) {
        const sockets = estate.get(ready.plan.name) ?? new Map<string, Inherited[]>();
        this.#tenants.set(ready.plan.name, await this.#begin(ready, { sockets }));
      }
    } catch (error) {
      await this.#stopAll(() => 0, estate.size > 0);
      throw error;
    } finally {
      if (estate.size > 0) {
        const descriptors = await this.#host.adapter.descriptors();
        for (const sockets of estate.values()) closeAll(sockets, descriptors);
      }
    }
  }

  /**
   * Makes the running services those that are given: only what has changed is touched. One that has
   * is started anew on its own sockets, then the old one's sessions end. All or nothing as far as
   * starting goes.
   *
   * @throws PorticoError that names the service which cannot be started; all is as it was then.
   */
  async reload(services: readonly ReadyService[]): Promise<Reloaded> {
    this.#check(services);
    const names = new Set(services.map(({ plan }) => plan.name));
    const result: { [Kind in keyof Reloaded]: string[] } = {
      added: [],
      changed: [],
      removed: [],
      unchanged: [],
    };
    const fresh = new Map<string, Tenant>();
    try {
      for (const ready of services) {
        const { name } = ready.plan;
        const old = this.#tenants.get(name);
        const before = old ?? this.#stopped.get(name);
        if (before !== undefined && printOf(ready) === printOf(before.ready)) {
          result.unchanged.push(name);
          continue;
        }
        fresh.set(name, await this.#begin(ready, await this.#legacyOf(old)));
        result[old === undefined ? "added" : "changed"].push(name);
      }
    } catch (error) {
      await Promise.all([...fresh.values()].map(({ running }) => running.stop(0, true)));
      throw error;
    }
    for (const [name, tenant] of fresh) {
      const old = this.#tenants.get(name);
      this.#tenants.set(name, tenant);
      this.#stopped.delete(name);
      if (old !== undefined) this.#leave(old, true);
    }
    for (const [name, tenant] of this.#tenants) {
      if (names.has(name)) continue;
      this.#tenants.delete(name);
      result.removed.push(name);
      this.#leave(tenant, false);
    }
    return result;
  }

  async #legacyOf(old: Tenant | undefined): Promise<Legacy> {
    if (old === undefined) return { sockets: new Map() };
    return { sockets: await old.running.duplicates(), room: old.running.room };
  }

  async #begin(ready: ReadyService, legacy: Legacy): Promise<Tenant> {
    try {
      const strategy = STRATEGIES[ready.plan.concurrency.strategy];
      return { ready, running: await strategy.start(ready, this.#host, legacy) };
    } catch (error) {
      throw inService(ready.plan.name, error);
    } finally {
      if (legacy.sockets.size > 0) {
        closeAll(legacy.sockets, await this.#host.adapter.descriptors());
      }
    }
  }

  /** Its sessions have their time; nobody waits for them but {@link stop}. */
  #leave(tenant: Tenant, keep: boolean): void {
    const left = tenant.running.stop(tenant.ready.plan.limits.drain, keep);
    this.#leaving.set(tenant, left.then(() => void this.#leaving.delete(tenant)));
  }

  /** Resolves when no service that was replaced or removed is left. */
  async settled(): Promise<void> {
    await Promise.all(this.#leaving.values());
  }

  #check(services: readonly ReadyService[]): void {
    for (const { plan } of services) {
      const [lack] = lacking(plan, this.#host.adapter);
      if (lack === undefined) continue;
      throw inService(plan.name, new PorticoError("NOT_SUPPORTED", describeLack(lack)));
    }
  }

  status(): ServiceStatus[] {
    return [...this.#tenants.values(), ...this.#stopped.values()].map(({ running }) =>
      running.status()
    );
  }

  /** The service of this name, or all. @throws PorticoError USAGE when there is none of this name. */
  #chosen(name: string | undefined): Tenant[] {
    if (name === undefined) return [...this.#tenants.values()];
    const found = this.#tenants.get(name);
    if (found !== undefined) return [found];
    if (this.#stopped.has(name)) {
      const text = `the service ${
        JSON.stringify(name)
      } was stopped; restart the server to have it back`;
      throw new PorticoError("USAGE", text);
    }
    const known = [...this.#tenants.keys()].join(", ");
    throw new PorticoError("USAGE", `there is no service ${JSON.stringify(name)}: ${known}`);
  }

  async #each(
    name: string | undefined,
    event: "suspend" | "resume" | undefined,
    act: (tenant: Tenant) => Promise<void>,
  ): Promise<string[]> {
    const chosen = this.#chosen(name);
    await Promise.all(chosen.map(async (tenant) => {
      await act(tenant);
      const { log, plan } = tenant.ready;
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
    const [tenant] = this.#chosen(name);
    this.#tenants.delete(name);
    this.#stopped.set(name, tenant!);
    await tenant!.running.stop(tenant!.ready.plan.limits.drain);
    tenant!.ready.log.emit("info", "stop", { service: name, reason: "control" });
    return [name];
  }

  /** Duplicates of all sockets, for a successor; the caller's to close. */
  async estate(): Promise<Estate> {
    const estate: Estate = new Map();
    for (const [name, { running }] of this.#tenants) estate.set(name, await running.duplicates());
    return estate;
  }

  /**
   * Stops accepting, drains every service for its `limits.drain`, closes. Never rejects.
   *
   * @param keep a successor has the sockets.
   */
  stop(keep = false): Promise<void> {
    return this.#stopAll((plan) => plan.limits.drain, keep);
  }

  /** Closes at once, also what {@link stop} still waits for. */
  kill(): Promise<void> {
    for (const { running } of this.#leaving.keys()) void running.stop(0);
    return this.#stopAll(() => 0, false);
  }

  async #stopAll(limitOf: (plan: ServicePlan) => number, keep: boolean): Promise<void> {
    const tenants = [...this.#tenants.values()].toReversed();
    await Promise.all([
      ...tenants.map(({ ready, running }) => running.stop(limitOf(ready.plan), keep)),
      this.settled(),
    ]);
  }
}

/** What makes a service what it is, as text: its plan, and the code of its plugin. */
function printOf({ plan, stamp }: ReadyService): string {
  return JSON.stringify([plan, stamp?.()], (_key, value) => value === Infinity ? "none" : value);
}

function inService(name: string, error: unknown): unknown {
  if (!(error instanceof PorticoError)) return error;
  return new PorticoError(error.code, `service ${JSON.stringify(name)}: ${error.message}`, {
    cause: error.cause ?? error,
    side: error.side,
  });
}
