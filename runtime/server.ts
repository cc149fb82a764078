/** All services of a manifest, running in this process. */
import type { Adapter, Missing } from "./core/contract.ts";
import { missing } from "./core/contract.ts";
import type { Address } from "./core/endpoint.ts";
import { PorticoError } from "./core/errors.ts";
import { Gather } from "./core/gather.ts";
import type { ServicePlan } from "./core/plan.ts";
import { STRATEGIES } from "./strategies/mod.ts";
import type { ReadyService, RunningService, ServiceStatus } from "./strategies/strategy.ts";

export type { ReadyService } from "./strategies/strategy.ts";

/** What a server is started from. */
export interface ServerInput {
  readonly services: readonly ReadyService[];
  readonly adapter: Adapter;
}

/** A server that runs. */
export interface Running {
  readonly endpoints: readonly { readonly service: string; readonly address: Address }[];
  status(): ServiceStatus[];
  /** Stops accepting, drains every service for its `limits.drain`, closes. Never rejects. */
  stop(): Promise<void>;
  /** Closes at once, also what {@link stop} still waits for. */
  kill(): Promise<void>;
}

/** Numbers the sessions of this process. */
let sessions = 0;

/** What a service needs that cannot be had here; empty when all is there. Binds nothing. */
export function lacking(plan: ServicePlan, adapter: Adapter): Missing[] {
  const { strategy } = plan.concurrency;
  const support = STRATEGIES[strategy].check(plan);
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

/**
 * Starts the services in their order; when one fails, those before it are stopped again.
 *
 * @throws PorticoError that names the service.
 */
export async function startServer({ services, adapter }: ServerInput): Promise<Running> {
  for (const { plan } of services) {
    const [lack] = lacking(plan, adapter);
    if (lack === undefined) continue;
    throw inService(plan.name, new PorticoError("NOT_SUPPORTED", describeLack(lack)));
  }
  const host = { adapter, gather: new Gather(adapter), nextId: () => ++sessions };
  const running: { service: ReadyService; handle: RunningService }[] = [];
  const stopAll = async (limitOf: (plan: ServicePlan) => number): Promise<void> => {
    await Promise.all(
      running.toReversed().map(({ service, handle }) => handle.stop(limitOf(service.plan))),
    );
  };
  for (const service of services) {
    try {
      const handle = await STRATEGIES[service.plan.concurrency.strategy].start(service, host);
      running.push({ service, handle });
    } catch (error) {
      await stopAll(() => 0);
      throw inService(service.plan.name, error);
    }
  }
  return {
    endpoints: running.flatMap(({ service, handle }) =>
      handle.addresses.map((address) => ({ service: service.plan.name, address }))
    ),
    status: () => running.map(({ handle }) => handle.status()),
    stop: () => stopAll((plan) => plan.limits.drain),
    kill: () => stopAll(() => 0),
  };
}

/** "unixgram:/run/x: node:ffi is switched off; start node without --no-experimental-ffi". */
export function describeLack({ what, reason, remedy }: Missing): string {
  return `${what}: ${reason}${remedy === undefined ? "" : `; ${remedy}`}`;
}

function inService(name: string, error: unknown): unknown {
  if (!(error instanceof PorticoError)) return error;
  return new PorticoError(error.code, `service ${JSON.stringify(name)}: ${error.message}`, {
    cause: error.cause ?? error,
    side: error.side,
  });
}
