/** What processes of a service may use of the machine. */

/** What each process of a service may use; what is absent it has from the server. */
export interface Resources {
  /** Bytes of memory that is resident. */
  readonly memory?: number | undefined;
  /** Milliseconds of CPU time, from its start. */
  readonly cpu?: number | undefined;
  /** Descriptors that it has open at once. */
  readonly files?: number | undefined;
  /** Processes and threads of its user. */
  readonly processes?: number | undefined;
  /** Bytes of a core dump. */
  readonly core?: number | undefined;
  readonly total?: TotalResources | undefined;
}

/** What all processes of a service may use together. */
export interface TotalResources {
  readonly memory?: number | undefined;
  /** How many CPUs they keep busy, as 0.5. */
  readonly cpu?: number | undefined;
  /** Processes and threads. */
  readonly processes?: number | undefined;
}
