/** What V8 is told while a server is loaded; Bun has another engine. */
import { setFlagsFromString } from "node:v8";

/**
 * Keeps V8's young generation from growing while a server is loaded. What loading leaves behind would
 * have it begin with a generation several times larger than that of a bare server, and chunks of 16
 * KiB then wander through memory instead of staying in the cache, which costs a tenth of the CPU for
 * each. The flag is read at each growth.
 */
export function holdEngine(): void {
  setGrowthFactor(1);
}

/** Lets it grow as it does by itself: the server is ready. */
export function releaseEngine(): void {
  setGrowthFactor(2);
}

function setGrowthFactor(factor: number): void {
  if ("Bun" in globalThis) return;
  try {
    setFlagsFromString(`--semi-space-growth-factor=${factor}`);
  } catch {
    // Not allowed.
  }
}
