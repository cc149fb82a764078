/** The records of a reload that came to nothing. */
import { hookError } from "../core/hooks.ts";
import type { Log } from "../core/log.ts";
import { problemFields } from "../values/problem.ts";

/** What is wrong concerns whoever has asked for it; the services go on as they are. */
export function recordRefusal(log: Log, error: unknown): void {
  for (const { code, message, ...more } of problemFields(hookError(error))) {
    log.emit("error", "error", { code, message, side: "config", during: "reload", ...more });
  }
}
