/** What a service that runs begins with, and what is told of it. */
import { Admission } from "../core/admission/admission.ts";
import type { Clock } from "../core/clock.ts";
import type { Address } from "../core/endpoint.ts";
import type { ServicePlan } from "../core/plan.ts";
import { RefusalSums } from "../core/refusal-sums.ts";
import type { Totals } from "../core/totals.ts";
import type { Executor, Host, ReadyService } from "./contract.ts";
import type { ServiceStatus } from "./status.ts";

/** @param before of the service that this one replaces. */
export function admissionOf(plan: ServicePlan, host: Host, before?: Admission): Admission {
  const { adapter, ownSockets, clock, bans } = host;
  return new Admission(plan, (later) => adapter.defer(later), before, ownSockets, clock, bans);
}

/** Its status, as of now. */
export function describeService(
  { name, concurrency }: ServicePlan,
  state: ServiceStatus["state"] | "starting" | "stopping",
  { admission, totals, addresses }: {
    readonly admission: Admission;
    readonly totals: Totals;
    readonly addresses: readonly Address[];
  },
  { workers, group }: Pick<Executor, "workers" | "group">,
): ServiceStatus {
  return {
    service: name,
    state: state === "starting" ? "running" : state === "stopping" ? "draining" : state,
    strategy: concurrency.strategy,
    endpoints: addresses.map(String),
    workers,
    live: admission.live,
    held: admission.waiting,
    restarts: totals.restarts,
    ...totals.counters,
    ...(group !== undefined && { group }),
    tally: totals.statistics,
    ...(totals.routes !== undefined && { routes: [...totals.routes.values()] }),
  };
}

/** What sums up the refusals of one source in a service's log; undefined where the manifest wants each. */
export function sumsOf({ plan, log }: ReadyService, clock: Clock): RefusalSums | undefined {
  const { refuseRecords, source } = plan.limits;
  if (refuseRecords === undefined || refuseRecords.count === Infinity) return undefined;
  return new RefusalSums(refuseRecords, source, clock, (record) => log.pass(record));
}
