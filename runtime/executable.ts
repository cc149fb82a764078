/** What an executable begins with, whatever it was started for: the server, a command, a worker. */
import process from "node:process";
import { isMainThread } from "node:worker_threads";
import { type Contents, embed } from "./modules/embedded.ts";
import { WORKER } from "./workers/variable.ts";

/** Runs what is inside. The module that `portico compile` makes calls it. */
export async function startExecutable(contents: Contents): Promise<void> {
  embed(contents);
  const worker = !isMainThread || process.env[WORKER] !== undefined;
  // A program that is started from here may be an executable like this one, and a server.
  if (!worker) delete process.env[WORKER];
  await (worker ? import("./worker.ts") : import("./main.ts"));
}
