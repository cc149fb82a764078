/**
 * Ends workers whose memory has grown above what their service may use. The kernel's own limits count what a
 * process has reserved, and a runtime reserves gigabytes that it never touches.
 */
import { readFileSync } from "node:fs";
import { clearInterval, setInterval } from "node:timers";

/** Milliseconds between two looks. */
const PERIOD = 250;

/** What {@link watchMemory} needs of a worker. */
export interface Measured {
  readonly pid: number;
  kill(why: string): void;
}

/**
 * Looks at workers that are processes again and again; one of more than `limit` bytes is killed.
 *
 * @returns a function that ends it.
 */
export function watchMemory(workers: ReadonlySet<Measured>, limit: number): () => void {
  const timer = setInterval(() => {
    for (const worker of workers) if (residentBytes(worker.pid) > limit) worker.kill("memory");
  }, PERIOD);
  return () => clearInterval(timer);
}

/** What of a process is in memory, in bytes; 0 for one that has ended. */
export function residentBytes(pid: number): number {
  try {
    const status = readFileSync(`/proc/${pid}/status`, "latin1");
    return Number(/^VmRSS:\s*(\d+) kB$/m.exec(status)?.[1] ?? 0) * 1024;
  } catch {
    return 0;
  }
}
