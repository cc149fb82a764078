/** A service of a server that runs, and what can be said of it. */
import type { Reloaded } from "../control/control.ts";
import type { ServiceStatus } from "../services/status.ts";
import type { Adapter } from "../core/contract.ts";
import { PorticoError } from "../core/errors.ts";
import type { ServicePlan } from "../core/plan.ts";
import { Totals } from "../core/totals.ts";
import { withPlace } from "../modules/locate.ts";
import { ListenError, type ReadyService } from "../services/contract.ts";
import { closeHandover, distribute, type Handover } from "../services/handover.ts";
import type { RunningService } from "../services/running.ts";
import { describeLack, lacking } from "../strategies/lacking.ts";

/** A service that runs, with what it was made from. */
export interface ServiceEntry {
  readonly ready: ReadyService;
  readonly running: RunningService;
  /** The endpoints whose sockets were there before it, by their texts. */
  readonly inherited: ReadonlySet<string>;
}

/** The name of a service. */
export function nameOf({ plan }: ReadyService): string {
  return plan.name;
}

/** What makes a service what it is, as text: its plan, and the code of its plugin. */
export function fingerprintOf({ plan, stamp }: ReadyService): string {
  return JSON.stringify([plan, stamp?.()], (_key, value) => value === Infinity ? "none" : value);
}

/** What has to be done for the services that run to become others. */
export interface Difference {
  /** To be started; some of them in the place of one of their name. */
  readonly changed: readonly ReadyService[];
  /** To be ended: replaced or removed. */
  readonly leave: readonly (readonly [string, ServiceEntry])[];
  /** Of all that shall run. */
  readonly names: ReadonlySet<string>;
  readonly result: Reloaded;
}

/** @param stopped by an operator: one that has not changed stays so. */
export function compare(
  services: readonly ReadyService[],
  entries: ReadonlyMap<string, ServiceEntry>,
  stopped: ReadonlyMap<string, ServiceEntry>,
): Difference {
  const changed = services.filter((ready) => {
    const { name } = ready.plan;
    const before = entries.get(name) ?? stopped.get(name);
    return before === undefined || fingerprintOf(ready) !== fingerprintOf(before.ready);
  });
  const stay = new Set(services.filter((ready) => !changed.includes(ready)).map(nameOf));
  const leave = [...entries].filter(([name]) => !stay.has(name));
  const names = new Set(services.map(nameOf));
  return {
    changed,
    leave,
    names,
    result: {
      added: changed.map(nameOf).filter((name) => !entries.has(name)),
      changed: changed.map(nameOf).filter((name) => entries.has(name)),
      removed: leave.map(([name]) => name).filter((name) => !names.has(name)),
      unchanged: [...stay],
    },
  };
}

/** Services in the order of their start: those that hand connections to others when all of these are there. */
export function sendersLast(services: readonly ReadyService[]): readonly ReadyService[] {
  if (services.every(({ plan }) => plan.match === undefined)) return services;
  return services.toSorted((a, b) => Number(!!a.plan.match) - Number(!!b.plan.match));
}

/** Says in which service something has failed, and where in its plugin. */
export function inService({ name, plugin }: ServicePlan, thrown: unknown): unknown {
  if (!(thrown instanceof PorticoError)) return thrown;
  const error = withPlace(thrown, plugin.url);
  const { code, message, cause = error, side, hint, at } = error;
  const text = `service ${JSON.stringify(name)}: ${message}`;
  if (thrown instanceof ListenError) {
    return new ListenError(thrown.listen, new PorticoError(code, text, { cause, side, hint }));
  }
  return new PorticoError(code, text, { cause, side, hint, at });
}

/** @throws PorticoError NOT_SUPPORTED that names the service, for what cannot be had here. */
export function checkNeeds(services: readonly ReadyService[], adapter: Adapter): void {
  for (const { plan } of services) {
    const [lack] = lacking(plan, adapter);
    if (lack === undefined) continue;
    throw inService(plan, new PorticoError("NOT_SUPPORTED", describeLack(lack)));
  }
}

/** The error for a name that is none of those that run. */
export function noService(name: string, known: readonly string[], stopped: boolean): PorticoError {
  const shown = JSON.stringify(name);
  const text = stopped
    ? `the service ${shown} was stopped: "portico ctl restart ${name}" starts it again`
    : `there is no service ${shown}: ${known.join(", ")}`;
  return new PorticoError("USAGE", text);
}

/** Duplicates of the sockets of services; the caller's to close. */
export async function duplicatesOf(
  entries: Iterable<readonly [string, ServiceEntry]>,
): Promise<Handover> {
  const handover: Handover = new Map();
  for (const [name, { running }] of entries) handover.set(name, await running.duplicates());
  return handover;
}

/** Has services begin on the sockets of others; undoes that when one of them fails. */
export async function handOver(
  adapter: Adapter,
  handover: Handover,
  services: readonly ReadyService[],
  begin: (distributed: Handover) => Promise<void>,
  begun: ReadonlyMap<string, ServiceEntry>,
): Promise<void> {
  const distributed = distribute(handover, services.map(({ plan }) => plan));
  try {
    await begin(distributed);
  } catch (error) {
    await undo(begun.values());
    throw error;
  } finally {
    if (handover.size > 0) {
      const descriptors = await adapter.descriptors();
      closeHandover(distributed, descriptors);
      closeHandover(handover, descriptors);
    }
  }
}

/** Ends what has begun; those who had the sockets before go on with them. */
export async function undo(begun: Iterable<ServiceEntry>): Promise<void> {
  await Promise.all([...begun].map(async ({ ready, running, inherited }) => {
    await running.abandon(textsOf(ready).filter((text) => !inherited.has(text)));
    await running.stop(0, true);
  }));
}

/** The texts of its endpoints. */
export function textsOf({ plan }: ReadyService): string[] {
  return plan.listen.map(({ text }) => text);
}

/** Of each service; what was replaced, and still has sessions, counts with what came after it. */
export function statusOf(
  entries: ReadonlyMap<string, ServiceEntry>,
  leaving: readonly ServiceEntry[],
): ServiceStatus[] {
  const found = new Map([...entries].map(([name, { running }]) => [name, running.status()]));
  for (const entry of leaving) {
    const name = nameOf(entry.ready);
    if (entries.get(name) === entry) continue;
    found.set(name, unite(found.get(name), entry.running.status()));
  }
  return [...found.values()];
}

/** Of one that does not run, as the manifest wants it. */
export function disabledStatus({ name, concurrency }: ServicePlan): ServiceStatus {
  const { counters, statistics, restarts } = new Totals();
  return {
    service: name,
    state: "disabled",
    strategy: concurrency.strategy,
    endpoints: [],
    workers: [],
    live: 0,
    held: 0,
    restarts,
    ...counters,
    tally: statistics,
  };
}

/** A status with the sessions and workers of what was there before, and has not ended yet. */
function unite(now: ServiceStatus | undefined, before: ServiceStatus): ServiceStatus {
  if (now === undefined) return before;
  return {
    ...now,
    workers: [...now.workers, ...before.workers],
    live: now.live + before.live,
    held: now.held + before.held,
  };
}
