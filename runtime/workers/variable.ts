/** The environment variable that tells a process that it is a worker: the name of its service. */
export const WORKER = "PORTICO_WORKER";

/** Where Node keeps compiled code. A worker is told of the supervisor's place by {@link WORKER_CACHE}. */
export const CACHE = "NODE_COMPILE_CACHE";

/** That the supervisor has set {@link CACHE}, for a worker alone. */
export const WORKER_CACHE = "PORTICO_WORKER_CACHE";
