/** A service of a server that runs, and what can be said of it. */
import type { ServiceStatus } from "../services/status.ts";
import { PorticoError } from "../core/errors.ts";
import type { ReadyService, RunningService } from "../services/contract.ts";

/** A service that runs, with what it was made from. */
export interface Tenant {
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
export function printOf({ plan, stamp }: ReadyService): string {
  return JSON.stringify([plan, stamp?.()], (_key, value) => value === Infinity ? "none" : value);
}

/** Says in which service something has failed. */
export function inService(name: string, error: unknown): unknown {
  if (!(error instanceof PorticoError)) return error;
  return new PorticoError(error.code, `service ${JSON.stringify(name)}: ${error.message}`, {
    cause: error.cause ?? error,
    side: error.side,
  });
}

/** The texts of its endpoints. */
export function textsOf({ plan }: ReadyService): string[] {
  return plan.listen.map(({ text }) => text);
}

/** Of each service; what was replaced, and still has sessions, counts with what came after it. */
export function statusOf(
  tenants: ReadonlyMap<string, Tenant>,
  leaving: readonly Tenant[],
): ServiceStatus[] {
  const found = new Map([...tenants].map(([name, { running }]) => [name, running.status()]));
  for (const tenant of leaving) {
    const name = nameOf(tenant.ready);
    if (tenants.get(name) === tenant) continue;
    found.set(name, unite(found.get(name), tenant.running.status()));
  }
  return [...found.values()];
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
