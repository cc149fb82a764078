import process from "node:process";

/** What signals ask of a server. */
export interface Asked {
  /** The first SIGINT or SIGTERM. */
  stop(signal: string): void;
  /** Every further one. */
  kill(): void;
  /** SIGHUP. */
  reload(): void;
  /** SIGUSR2. */
  status(): void;
}

/** Listens for signals; the function that it returns ends that. */
export function onSignals(asked: Asked): () => void {
  let stopping = false;
  const stop = (signal: string): void => {
    if (stopping) return asked.kill();
    stopping = true;
    asked.stop(signal);
  };
  const table: Partial<Record<NodeJS.Signals, (signal: string) => void>> = {
    SIGINT: stop,
    SIGTERM: stop,
    // Windows has no such signals to send, and a runtime may refuse to listen for them.
    ...(process.platform !== "win32" && {
      SIGHUP: () => asked.reload(),
      SIGUSR2: () => asked.status(),
    }),
  };
  const entries = Object.entries(table) as [NodeJS.Signals, (signal: string) => void][];
  for (const [signal, listener] of entries) process.on(signal, listener);
  return () => {
    for (const [signal, listener] of entries) process.removeListener(signal, listener);
  };
}
