/**
 * The interface of a strategy. It decides in how many places a service lives, and when a session
 * gets its turn; what a place does is always the same: `place.ts`.
 */
import type { ServiceStatus } from "./status.ts";
import type { Adapter, Support } from "../core/contract.ts";
import type { Inherited, Inspected } from "../core/descriptors.ts";
import type { Address } from "../core/endpoint.ts";
import type { Gather } from "../core/stream/gather.ts";
import type { Log } from "../core/log.ts";
import type { ListenPlan, ServicePlan, StrategyName } from "../core/plan.ts";
import type { Plugin } from "../core/plugin.ts";
import type { Room } from "../core/admission/room.ts";

/** A service that has passed every check: its plugin is loaded, its options are the schema's. */
export interface ReadyService {
  readonly plan: ServicePlan;
  readonly plugin: Plugin;
  readonly options: unknown;
  readonly log: Log;
  /** Another one when the plugin's code is. It is asked when somebody wants to compare. */
  readonly stamp?: () => string;
}

/** A socket that somebody else has opened, and its descriptor. */
export type Found = Inspected & { readonly fd: number };

/** What all services of one process share. */
export interface Host {
  readonly adapter: Adapter;
  readonly gather: Gather;
  /** Gives the next session number. */
  readonly nextId: () => number;
  /** The module that a worker runs, absolute. */
  readonly worker: string;
  /** The server itself, for the plugin `admin`, which knows its type. */
  readonly operator?: unknown;
  /** The sockets of an endpoint that somebody else has opened: `fd:`, `systemd:`, `stdio:`. */
  readonly inherit: (listen: ListenPlan) => Promise<readonly Found[]>;
}

/** What a service takes over from the one that it replaces. */
export interface Legacy {
  /** Sockets that are there, by the text of their endpoint. Those that are not taken are closed by whoever gave them. */
  readonly sockets: Map<string, Inherited[]>;
  readonly room?: Room | undefined;
}

/** A service that runs. */
export interface RunningService {
  /** What is really bound, in the order of the manifest. */
  readonly addresses: readonly Address[];
  /** What a successor counts on with. */
  readonly room: Room;
  status(): ServiceStatus;
  /** Has its workers tell from now on how late their event loops are, in the tally of the status. */
  measure(): void;
  /** Duplicates of its sockets, by the text of their endpoint; whoever asks has to close them. */
  duplicates(): Promise<Map<string, Inherited[]>>;
  /**
   * Nobody goes on with these endpoints, by their texts: their listeners are closed for good now,
   * datagram sockets by {@link stop}, whatever it keeps.
   */
  forsake(texts: readonly string[]): Promise<void>;
  /** Accepts no more; newcomers wait in the kernel's queues. Sessions go on. */
  suspend(): Promise<void>;
  /** A successor accepts from here on, and we do no more; {@link stop} follows, which keeps the sockets. */
  cede(): Promise<void>;
  /** Accepts again, after {@link suspend} or {@link drain}. */
  resume(): Promise<void>;
  /** {@link suspend}, then waits up to `limit` ms for the sessions to end, and closes the rest. */
  drain(limit: number): Promise<void>;
  /**
   * Stops accepting, waits up to `limit` ms for the sessions to end, closes the rest, then runs the
   * plugin's `stop`. A second call shortens the wait. Never rejects.
   *
   * @param keep somebody else goes on with the sockets: their files stay, and who waits for a turn
   * is served, not refused.
   */
  stop(limit: number, keep?: boolean): Promise<void>;
}

/** One way of running a service. To add one: a file beside this one, and a line in `mod.ts`. */
export interface Strategy {
  readonly name: StrategyName;
  /** Whether it can run the service here; asked before anything is bound. */
  check(plan: ServicePlan, adapter: Adapter): Support;
  /**
   * Starts the plugin and opens the endpoints; all or nothing.
   *
   * @throws PorticoError when the plugin does not start, or an endpoint cannot be opened.
   */
  start(service: ReadyService, host: Host, legacy: Legacy): Promise<RunningService>;
}
