/** What can be told of a service that runs. */
import type { StrategyName } from "../core/plan.ts";
import type { Statistics } from "../core/statistics.ts";
import type { Counters, RouteCount } from "../core/totals.ts";
import type { GroupUsage } from "./groups.ts";

/** One worker of a service. */
export interface WorkerStatus {
  /** Of the worker's process; of threads the supervisor's own. */
  readonly pid: number;
  readonly state: "starting" | "ready" | "draining";
  /** Sessions that it serves now, and has served. */
  readonly live: number;
  readonly served: number;
  /** Seconds since it was started. */
  readonly uptime: number;
}

/** One service, as sums over all its workers. */
export interface ServiceStatus extends Readonly<Counters> {
  readonly service: string;
  readonly state:
    | "running"
    | "resting"
    | "suspended"
    | "draining"
    | "stopped"
    | "failed"
    | "disabled";
  readonly strategy: StrategyName;
  /** What is really bound. */
  readonly endpoints: readonly string[];
  readonly workers: readonly WorkerStatus[];
  /** Sessions that wait or are served now; those of them that wait for their turn, or for room. */
  readonly live: number;
  readonly held: number;
  /** Workers that died and were replaced. */
  readonly restarts: number;
  /** Of its processes together, where the kernel limits them. */
  readonly group?: GroupUsage;
  /** Why sessions were refused and have ended, which errors there were, how long sessions took. */
  readonly tally: Statistics;
  /** Whom it has handed its peers to; only of one that does so. */
  readonly routes?: readonly Readonly<RouteCount>[];
}

/** The whole server. */
export interface ServerStatus {
  readonly pid: number;
  readonly version: string;
  /** "node 26.10.0". */
  readonly runtime: string;
  /** The manifest's file. */
  readonly manifest: string;
  /** Seconds since the start. */
  readonly uptime: number;
  /** Of the whole: `draining` from when its end has begun. */
  readonly state: "starting" | "running" | "draining";
  readonly services: readonly ServiceStatus[];
  readonly sinks: readonly SinkStatus[];
  /** How many bans are in force. */
  readonly bans: number;
  /** In use; absent where no service has any. */
  readonly certificates?: readonly CertificateStatus[];
}

/** A certificate of TLS: nothing of its key. */
export interface CertificateStatus {
  /** Absent of one that was made for development. */
  readonly file?: string;
  readonly names: readonly string[];
  /** RFC 3339. */
  readonly validFrom: string;
  readonly validTo: string;
  /** SHA-256: 64 digits in lower case, without colons. */
  readonly fingerprint: string;
}

/** One sink that is open. */
export interface SinkStatus {
  /** In `sinks`, or its type. */
  readonly name: string;
  readonly type: string;
  /** Records that it, and those of its name before it, have had to give up. */
  readonly dropped: number;
}
