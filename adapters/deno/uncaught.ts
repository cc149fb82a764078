import process from "node:process";

/** What Deno has of it in its `core`, which is not documented and may be gone one day. */
interface Core {
  setReportExceptionCallback?(callback: (thrown: unknown) => void): void;
}

/**
 * Deno asks a value that nobody caught for its prototypes before it tells anyone. Where that throws, as a
 * Proxy's trap may, the process ends, or nobody is told. Such a value goes to `process` at once.
 */
export function tellsUncaught(): void {
  const deno = Deno as unknown as { internal?: symbol; [key: symbol]: { core?: Core } | undefined };
  const core = deno.internal === undefined ? undefined : deno[deno.internal]?.core;
  core?.setReportExceptionCallback?.((thrown) => {
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
