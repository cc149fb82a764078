import process from "node:process";
import { internals } from "./internals.ts";

/**
 * Deno asks a value that nobody caught for its prototypes before it tells anyone. Where that throws, as a
 * Proxy's trap may, the process ends, or nobody is told. Such a value goes to `process` at once.
 */
export function tellsUncaught(): void {
  internals()?.core?.setReportExceptionCallback?.((thrown) => {
    if (canBeAsked(thrown)) reportError(thrown);
    else process.emit("uncaughtException", thrown as Error);
  });
}

function canBeAsked(thrown: unknown): boolean {
  try {
    return thrown instanceof Error || true;
  } catch {
    return false;
  }
}
