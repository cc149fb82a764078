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
  /**
   * Limits this process, and those that it starts, for good: setrlimit(2). Above `hard` nobody but root
   * comes again. @throws PorticoError EPERM for more than it has itself.
   */
  limit(resource: LimitedResource, soft: number, hard: number): void;
  /** ioprio_set(2) of every thread that this process has, with class and level in one number. @throws PorticoError EPERM. */
  prioritizeIo(priority: number): void;
}

/** What setrlimit(2) is told of: seconds of `cpu`, bytes of `core`, descriptors, processes and threads of the user. */
export type LimitedResource = "cpu" | "files" | "processes" | "core";

/** What a thread begins with: a module, by its URL, or code with flags of its own. */
export type ThreadStart =
  | { readonly url: string }
  | { readonly code: string; readonly flags: readonly string[] };

/** A program, and what it gets of this process: three standard streams, and no other descriptor. */
export interface Program {
  /** The path of its file, absolute. */
  readonly path: string;
  /** Without the name of the program. */
  readonly args: readonly string[];
  /** The folder that it runs in, absolute. */
  readonly cwd: string;
  /** Its whole environment. */
  readonly env: Readonly<Record<string, string>>;
  /** Its standard input and output. It stays open here, and the caller's. */
  readonly fd: number;
  /** Its standard error: that descriptor too, /dev/null, or a pipe that is read here. */
  readonly stderr: "fd" | "ignore" | "pipe";
}

/** A program that runs, in a session of its own. Of `node:child_process` it is what is needed here. */
export interface Child {
  readonly pid?: number | undefined;
  readonly stderr: {
    on(event: "data", listener: (chunk: Uint8Array) => void): unknown;
    on(event: "end", listener: () => void): unknown;
    /** It is not read any more. */
    destroy(): unknown;
  } | null;
  /** It has ended, with a status or by a signal. */
  once(event: "exit", listener: (code: number | null, signal: string | null) => void): unknown;
  /** It has ended, and what was in the pipe has been read. */
  once(event: "close", listener: () => void): unknown;
  /** It could not be started. There is no `exit` then. */
  once(event: "error", listener: (error: Error) => void): unknown;
}

/** Starts a program. @throws Error with a `code` when it cannot, or the child says so with `error`. */
export type Spawn = (program: Program) => Child;
