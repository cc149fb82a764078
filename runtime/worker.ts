/** The module that a worker begins with. */
import * as module from "node:module";
import process from "node:process";
import { CACHE, WORKER, WORKER_CACHE } from "./workers/variable.ts";

// Compiled code is kept between starts where the runtime can: `spawn` starts a worker for each session.
module.enableCompileCache?.();
// What the plugin starts decides that for itself.
if (process.env[WORKER_CACHE] !== undefined) {
  delete process.env[WORKER_CACHE];
  delete process.env[CACHE];
}
// A thread has an environment, too; only a process is told in it that it is a worker.
const isProcess = process.env[WORKER] !== undefined;
delete process.env[WORKER];
await (isProcess ? import("./workers/process.ts") : import("./workers/thread.ts"));
