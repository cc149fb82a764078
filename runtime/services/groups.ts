/** Control groups, as services know them: what of `resources` the kernel itself keeps. */
import type { Resources } from "../core/plan.ts";

/** Of a server. */
export interface Groups {
  /**
   * Has a group for a service, to be closed by whoever has opened it; undefined where none can be had, and
   * what is wanted can be kept in another way.
   *
   * @throws PorticoError NOT_SUPPORTED for a limit that nothing else can keep.
   */
  open(service: string, resources: Resources): ServiceGroup | undefined;
  /** The server is about to become this user: what it has to change afterwards is made his. */
  give(uid: number, gid: number): void;
  /** The server ends: nothing is left, unless somebody else is there. */
  close(): void;
}

export interface ServiceGroup {
  /** Which limits it keeps. */
  readonly controllers: ReadonlySet<"memory" | "cpu" | "pids">;
  /** Puts a process into a group of its own below it, before it has anything to do. @throws what the system says. */
  enter(pid: number): WorkerGroup;
  usage(): GroupUsage;
  close(): void;
}

export interface WorkerGroup {
  /** Its process has ended: the group is removed. @returns what the kernel has killed it for, if it has. */
  ended(): "memory" | undefined;
}

/** What the kernel tells of the processes of a service, since its group was made. */
export interface GroupUsage {
  /** What is bounded by it. */
  readonly controllers: readonly ("memory" | "cpu" | "pids")[];
  /** Seconds of CPU time. */
  readonly cpu: number;
  /** Seconds in which processes that had something to do had used up their share. */
  readonly throttled: number;
  /** Bytes, and processes and threads, that it has now; absent where that is not counted. */
  readonly memory?: number;
  readonly processes?: number;
  /** Processes that were killed for want of memory, and those that could not be started. */
  readonly killed: number;
  readonly denied: number;
}
