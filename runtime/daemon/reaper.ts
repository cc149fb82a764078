/**
 * Process 1, of a container mostly, inherits every process whose parent has ended, and has to take
 * the kernel's record of it when it ends too; else these zombies fill the table of processes. No
 * runtime does that for processes that it has not started.
 */
import { readdirSync, readFileSync } from "node:fs";
import process from "node:process";
import { clearInterval, setInterval } from "node:timers";
import type { Adapter } from "../core/contract.ts";

/** Milliseconds between two looks. */
const PERIOD = 500;
/**
 * For how many looks a zombie has to be there. What a runtime has started it waits for at once, unless
 * the thread that has started it is busy. Programs of `exec` lead a session of their own, which what
 * they leave behind mostly does not.
 */
const LOOKS = 3;
const LOOKS_OF_LEADERS = 120;

/** Reaps what nobody waits for, while this is process 1. @returns what ends that. */
export async function reapOrphans({ features, processCalls }: Adapter): Promise<() => void> {
  if (process.pid !== 1 || features.processCalls !== true) return () => {};
  const { reap } = await processCalls();
  let seen: Map<string, number> = new Map();
  const timer = setInterval(() => {
    const now = new Map<string, number>();
    for (const { pid, leads, key } of zombies()) {
      const looks = (seen.get(key) ?? 0) + 1;
      if (looks < (leads ? LOOKS_OF_LEADERS : LOOKS) || !reap(pid)) now.set(key, looks);
    }
    seen = now;
  }, PERIOD);
  timer.unref();
  return () => clearInterval(timer);
}

interface Zombie {
  readonly pid: number;
  /** Of a session. */
  readonly leads: boolean;
  /** Numbers are used again: with the time of its start. */
  readonly key: string;
}

/** Children of this process that have ended; proc_pid_stat(5). */
function zombies(): Zombie[] {
  return readdirSync("/proc").filter((name) => /^\d+$/.test(name)).flatMap((name) => {
    try {
      const text = readFileSync(`/proc/${name}/stat`, "latin1");
      const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
      const [state, parent, , session] = fields;
      if (state !== "Z" || Number(parent) !== process.pid) return [];
      return [{ pid: Number(name), leads: session === name, key: `${name} ${fields[19]}` }];
    } catch {
      // Gone since.
      return [];
    }
  });
}
