/** What a service is started from, and what serves its sessions. */
import type { Admission } from "../core/admission/admission.ts";
import type { Names } from "../core/names/rules.ts";
import type { Candidate } from "../core/admission/candidate.ts";
import type { OwnSockets } from "../core/admission/own-sockets.ts";
import type { Clock } from "../core/clock.ts";
import type { Adapter, BindableEndpoint, DatagramSocket } from "../core/contract.ts";
import type { Listener } from "../core/contract.ts";
import type { Inherited, Inspected, Origin } from "../core/descriptors.ts";
import type { Address } from "../core/endpoint.ts";
import { PorticoError } from "../core/errors.ts";
import type { HttpListener } from "../core/exchange.ts";
import type { Log } from "../core/log.ts";
import type { ListenPlan, ServicePlan, TlsPlan } from "../core/plan.ts";
import type { Plugin } from "../core/plugin.ts";
import type { Matcher } from "../core/prologue/match.ts";
import type { Gather } from "../core/stream/gather.ts";
import type { TlsServerOptions } from "../core/tls.ts";
import type { Totals } from "../core/totals.ts";
import type { Groups, GroupUsage } from "./groups.ts";
import type { LoadMeter } from "./load.ts";
import type { Bans } from "./bans/bans.ts";
import type { HeldConnection } from "./held-connection.ts";
import type { WorkerStatus } from "./status.ts";

/** A service that has passed every check: its plugin is loaded, its options are the schema's. */
export interface ReadyService {
  readonly plan: ServicePlan;
  readonly plugin: Plugin;
  readonly options: unknown;
  readonly log: Log;
  /** Another one when the plugin's code is. It is asked when somebody wants to compare. */
  readonly stamp?: () => string;
  /** By the URL of its module; of those that {@link ServicePlan.match} names. */
  readonly matchers?: ReadonlyMap<string, Matcher>;
}

/** A socket that somebody else has opened, and its descriptor. */
export type FoundSocket = Inspected & { readonly fd: number };

/** What all services of one process share. */
export interface Host {
  readonly adapter: Adapter;
  readonly gather: Gather;
  /** {@link SYSTEM_CLOCK} when silent. */
  readonly clock?: Clock;
  /** Gives the next session number. */
  readonly nextId: () => number;
  /** The UDP sockets of all services. */
  readonly ownSockets: OwnSockets;
  /** What `limits.load` is held against. */
  readonly load: LoadMeter;
  /** Who is shut out of all services; nobody ever when silent. */
  readonly bans?: Bans;
  /** What has the kernel limit the processes of services; it does not when silent. */
  readonly groups?: () => Promise<Groups>;
  /** The module that a worker runs, absolute. */
  readonly worker: string;
  /** The folder to be in when the working directory is no more; when silent it is let be. */
  readonly home?: string;
  /** What the plugin `admin` is given as {@link StartContext.server}. */
  readonly operator?: unknown;
  /**
   * The running service of a name, as whoever hands it connections sees it; nobody hands any when silent.
   *
   * @param held one that {@link Receiver.takes} it so, where there is any still.
   */
  readonly receiver?: (service: string, held?: Manner) => Receiver | undefined;
  /** What knows names, for rules about them; without it those are about nobody. */
  readonly names?: () => Promise<Names>;
  /**
   * The certificates of a plan, the same object for equal plans. Absent where no service has any.
   *
   * @throws PorticoError TLS_INVALID, with the file and what would be right.
   */
  readonly certificates?: (plan: TlsPlan) => Promise<Certificates>;
  /** The sockets of an endpoint that somebody else has opened: `fd:`, `systemd:`, `stdio:`. */
  readonly inherit: (listen: ListenPlan) => Promise<readonly FoundSocket[]>;
}

/** A connection that another service has accepted, and nobody has read. */
export interface Unread {
  readonly fd: number;
  readonly origin: Origin;
  /** It speaks TLS from the first byte on. */
  readonly tls: boolean;
}

/** How held connections come. */
export interface Manner {
  /** They speak TLS from the first byte on. */
  readonly tls: boolean;
  /** They are of this machine, and whoever wants to know who has connected needs a descriptor. */
  readonly unix: boolean;
}

/** Takes connections that another service has accepted. */
export interface Receiver {
  /** Whether it takes held ones of this manner: it serves them in this thread, and needs no descriptor for it. */
  takes(manner: Manner): boolean;
  /** @returns false when it can take no more; what has arrived is the caller's still. */
  receive(arrival: Unread | HeldConnection): boolean;
}

/** What is in the files of a {@link TlsPlan}, read anew when they change or the server is told to. */
export interface Certificates {
  /** As it is now. */
  readonly options: TlsServerOptions;
  /** Calls back whenever it has become another. @returns ends that. */
  onChange(callback: (options: TlsServerOptions) => void): () => void;
}

/** What could not be listened on, and why. */
export class ListenError extends PorticoError {
  readonly listen: ListenPlan;

  constructor(listen: ListenPlan, { code, message, cause, side, hint }: PorticoError) {
    super(code, message, { cause, side, hint });
    this.listen = listen;
  }
}

/** What a service takes over from the one that it replaces. */
export interface Takeover {
  /** Sockets that are there, by the text of their endpoint. Those that are not taken are closed by whoever gave them. */
  readonly sockets: Map<string, Inherited[]>;
  readonly admission?: Admission | undefined;
  readonly totals?: Totals | undefined;
}

/** What an executor is made of. */
export interface ExecutorInput {
  readonly ready: ReadyService;
  readonly host: Host;
  /** Whom it asks about everybody who comes. */
  readonly admission: Admission;
  readonly totals: Totals;
  /** It comes to nothing, until {@link Executor.revive}. */
  readonly failed: (reason: string) => void;
}

/** How a service opens what it listens on. */
export interface Opener {
  listen(endpoint: BindableEndpoint, listen: ListenPlan): Promise<Listener>;
  bind(endpoint: BindableEndpoint, listen: ListenPlan): Promise<DatagramSocket>;
  serve(endpoint: BindableEndpoint, listen: ListenPlan): Promise<HttpListener>;
  /** A connection that was there before us: inetd's `nowait`. */
  adopt(fd: number, origin: Origin, listen: Pick<ListenPlan, "tls">): Promise<void>;
}

/**
 * What serves the sessions of a service: an instance of its plugin in this thread, or a pool of
 * workers. It is driven by `running.ts`, which knows no difference.
 */
export interface Executor extends Opener {
  /** Whether it takes connections that others hold; where it is absent it needs descriptors. */
  takes?(manner: Manner): boolean;
  /** Serves one of a manner that it {@link takes}. What is not done at once resolves when it is. */
  take?(connection: HeldConnection): void | Promise<void>;
  /** All sockets are open. */
  opened(): void;
  /** At these addresses are socket files that are its own to remove; what was handed on is not any more. */
  own(addresses: readonly Address[]): void;
  /** Of the workers, if there are any. */
  readonly workers: readonly WorkerStatus[];
  /** What the kernel tells of them together, where it limits them. */
  readonly group?: GroupUsage | undefined;
  /** How late the event loop is of the worker that is least so, in ms; 0 where there is none. It asks them anew. */
  delay(): number;
  /** Brings the totals up to date. */
  settle(): void;
  /** Has its workers tell from now on how late their event loops are. */
  measure(): void;
  /** What has gone, each way, through sessions that are served elsewhere. */
  traffic(): Promise<readonly (readonly [Candidate, readonly [number, number]])[]>;
  /** The service lets nobody in any more, and waits for its sessions; or does not any more. */
  drains(on: boolean): void;
  /** Ends the sessions that are left, with reason `drain`. */
  cut(): Promise<void>;
  /** Starts anew after it has failed. */
  revive(): void;
  /** The plugin's `stop`, which {@link end} waits for, must not take as long as it likes any more. */
  hurry(): void;
  /** Runs the plugin's `stop`, and releases what is left. To be called once, when no session is left. */
  end(): Promise<void>;
}

/** Makes an executor, with the plugin started. @throws PorticoError, with nothing left behind. */
export type StartExecutor = (input: ExecutorInput) => Promise<Executor>;
