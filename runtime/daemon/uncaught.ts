import process from "node:process";
import { hookError } from "../core/hooks.ts";
import { errorFields, type Log } from "../core/log.ts";

/**
 * Records what a plugin throws outside of its hooks, from a timer or a promise that nobody awaits,
 * instead of letting it stop the server.
 *
 * @returns ends that.
 */
export function recordUncaught(log: () => Log): () => void {
  const record = (thrown: unknown): void => {
    log().emit("error", "error", errorFields(hookError(thrown)));
  };
  process.on("uncaughtException", record);
  process.on("unhandledRejection", record);
  return () => {
    process.removeListener("uncaughtException", record);
    process.removeListener("unhandledRejection", record);
  };
}
