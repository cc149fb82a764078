/**
 * What an adapter can do with this process that a runtime has no call for. It is made at first need
 * ({@link Adapter.processCalls}).
 */
export interface ProcessCalls {
  /** setgroups(2), for every thread of the process. @throws PorticoError EPERM. */
  setGroups(groups: readonly number[]): void;
  /**
   * Takes the kernel's record of a child that has ended, waitpid(2) without waiting. Of one that the
   * runtime itself waits for it would never hear then.
   */
  reap(pid: number): boolean;
  /**
   * Lets this process end (SIGVTALRM) when it has spent so many seconds of CPU time from now on, as
   * its own event loop cannot when it does not turn any more; setitimer(2). 0: it may go on.
   */
  limitCpu(seconds: number): void;
}
