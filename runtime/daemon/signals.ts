import process from "node:process";

/** What a server does when a signal comes. */
export interface SignalHandlers {
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
export function onSignals(handlers: SignalHandlers): () => void {
  let stopping = false;
  const stop = (signal: string): void => {
    if (stopping) return handlers.kill();
    stopping = true;
    handlers.stop(signal);
  };
  const table: Partial<Record<NodeJS.Signals, (signal: string) => void>> = {
    SIGINT: stop,
    SIGTERM: stop,
    // Windows has no such signals to send, and a runtime may refuse to listen for them.
    ...(process.platform !== "win32" && {
      SIGHUP: () => handlers.reload(),
      SIGUSR2: () => handlers.status(),
    }),
  };
  const entries = Object.entries(table) as [NodeJS.Signals, (signal: string) => void][];
  for (const [signal, listener] of entries) process.on(signal, listener);
  return () => {
    for (const [signal, listener] of entries) process.removeListener(signal, listener);
  };
}
