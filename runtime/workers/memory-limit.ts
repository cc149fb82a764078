/**
 * Ends workers whose memory has grown above what their service may use. The kernel's own limits count what a
 * process has reserved, and a runtime reserves gigabytes that it never touches.
 */
import { readFileSync } from "node:fs";
import process from "node:process";
import { clearInterval, setInterval } from "node:timers";
import { messageOf, PorticoError } from "../core/errors.ts";

/** Milliseconds between two looks. */
const PERIOD = 250;

/** What {@link watchMemory} needs of a worker. */
export interface Measured {
  readonly pid: number;
  kill(why: string): void;
}

/**
 * Looks at workers that are processes again and again; one of more than `each` bytes is killed, and the
 * largest when all of them have more than `total`.
 *
 * @returns a function that ends it.
 * @throws PorticoError NOT_SUPPORTED where nobody may look: a limit that is not kept is none.
 */
export function watchMemory(
  workers: ReadonlySet<Measured>,
  each: number = Infinity,
  total: number = Infinity,
): () => void {
  try {
    residentBytes(process.pid);
  } catch (error) {
    const text = `resources.memory: /proc cannot be read: ${messageOf(error)}`;
    throw new PorticoError("NOT_SUPPORTED", text, { cause: error });
  }
  const timer = setInterval(() => look(workers, each, total), PERIOD);
  return () => clearInterval(timer);
}

function look(workers: ReadonlySet<Measured>, each: number, total: number): void {
  let sum = 0;
  let most = 0;
  let largest: Measured | undefined;
  for (const worker of workers) {
    const bytes = sizeOf(worker);
    if (bytes > each) worker.kill("memory");
    else sum += bytes;
    if (bytes <= most || bytes > each) continue;
    most = bytes;
    largest = worker;
  }
  if (sum > total) largest?.kill("memory");
}

function sizeOf({ pid }: Measured): number {
  try {
    return residentBytes(pid);
  } catch {
    // It has ended.
    return 0;
  }
}

/** What of a process is in memory, in bytes; 0 for one that has ended and is still known. @throws what reading /proc throws. */
function residentBytes(pid: number): number {
  const status = readFileSync(`/proc/${pid}/status`, "latin1");
  return Number(/^VmRSS:\s*(\d+) kB$/m.exec(status)?.[1] ?? 0) * 1024;
}
