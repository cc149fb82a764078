/**
 * The interface of a strategy. It decides in how many places a service lives, and when a session
 * gets its turn; what a place does is always the same: `place.ts`.
 */
import type { Adapter, Support } from "../core/contract.ts";
import type { Address } from "../core/endpoint.ts";
import type { Gather } from "../core/gather.ts";
import type { Log } from "../core/log.ts";
import type { ServicePlan, StrategyName } from "../core/plan.ts";
import type { Plugin } from "../core/plugin.ts";

/** A service that has passed every check: its plugin is loaded, its options are the schema's. */
export interface ReadyService {
  readonly plan: ServicePlan;
  readonly plugin: Plugin;
  readonly options: unknown;
  readonly log: Log;
}

/** What all services of one process share. */
export interface Host {
  readonly adapter: Adapter;
  readonly gather: Gather;
  /** Gives the next session number. */
  readonly nextId: () => number;
}

/** What a service is doing; sums over all its places. */
export interface ServiceStatus {
  readonly service: string;
  readonly endpoints: readonly string[];
  /** Sessions held or served now. */
  readonly live: number;
  readonly served: number;
  readonly refused: number;
  readonly errors: number;
  readonly bytesIn: number;
  readonly bytesOut: number;
}

/** A service that runs. */
export interface RunningService {
  /** What is really bound, in the order of the manifest. */
  readonly addresses: readonly Address[];
  status(): ServiceStatus;
  /**
   * Stops accepting, waits up to `limit` ms for the sessions to end, closes the rest, then runs the
   * plugin's `stop`. A second call shortens the wait. Never rejects.
   */
  stop(limit: number): Promise<void>;
}

/** One way of running a service. To add one: a file beside this one, and a line in `mod.ts`. */
export interface Strategy {
  readonly name: StrategyName;
  /** Whether it can run the service here; asked before anything is bound. */
  check(plan: ServicePlan): Support;
  /**
   * Starts the plugin and opens the endpoints; all or nothing.
   *
   * @throws PorticoError when the plugin does not start, or an endpoint cannot be opened.
   */
  start(service: ReadyService, host: Host): Promise<RunningService>;
}
