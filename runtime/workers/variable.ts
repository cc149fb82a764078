/** The environment variable that tells a process that it is a worker: the name of its service. */
export const WORKER = "PORTICO_WORKER";
