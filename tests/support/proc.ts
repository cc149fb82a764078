/** What /proc says of processes. */
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import process from "node:process";
import { setTimeout as pause } from "node:timers/promises";
import { until } from "./until.ts";

/** The fields of proc_pid_stat(5) after the name: state, parent, group, session … */
function stat(pid: number | string): string[] {
  try {
    return readFileSync(`/proc/${pid}/stat`, "latin1").replace(/^.*\) /s, "").split(" ");
  } catch {
    return [];
  }
}

/** Whether a process runs: one that nobody has waited for yet does not. */
export function runs(pid: number): boolean {
  const [state = "Z"] = stat(pid);
  return state !== "Z" && state !== "X";
}

/** The children of a process that run. */
export function children(parent: number): number[] {
  return readdirSync("/proc").map(Number).filter((pid) =>
    pid > 0 && Number(stat(pid)[1]) === parent && runs(pid)
  );
}

/**
 * Sends a signal to one process. 0, which an empty file comes to as a number, would be all that have been started
 * together with this one, and -1 all that there are.
 */
export function sendSignal(pid: number, name: NodeJS.Signals = "SIGTERM"): void {
  assert.ok(Number.isSafeInteger(pid) && pid > 1, `${pid} is no process of ours`);
  process.kill(pid, name);
}

/** Its priority, as setpriority(2) has it. */
export function niceOf(pid: number): number {
  return Number(stat(pid)[16]);
}

/** A row of /proc/PID/limits, as "1024 4096": the soft and the hard one. */
export function limitOf(pid: number, name: string): string {
  const text = readFileSync(`/proc/${pid}/limits`, "latin1");
  return new RegExp(`^Max ${name} +(\\S+ +\\S+)`, "m").exec(text)![1]!.replace(/ +/, " ");
}

/** A line of proc_pid_status(5), in words. */
export function statusOf(pid: number, key: string): string[] {
  const text = readFileSync(`/proc/${pid}/status`, "latin1");
  return new RegExp(`^${key}:(.*)$`, "m").exec(text)![1]!.trim().split(/\s+/);
}

/** CPU time that a process has used, or each thread of it, in ms. */
const cpuOf = (fields: readonly string[]): number => 10 * (Number(fields[11]) + Number(fields[12]));

/** Waits for a second in which a process hardly uses the CPU; there has to be one among the first five. */
export async function comesToRest(pid: number): Promise<void> {
  const spent: string[] = [];
  for (let second = 0; second < 5; second++) {
    const before = threadTimes(pid);
    const total = cpuOf(stat(pid));
    await pause(1000);
    const used = cpuOf(stat(pid)) - total;
    if (used < 250) return;
    const threads = [...threadTimes(pid)].map(([thread, time]) =>
      [
        thread,
        time - (before.get(thread) ?? 0),
      ] as const
    ).filter(([, time]) => time > 0);
    spent.push(`${used} ms (${threads.map(([name, time]) => `${name}: ${time}`).join(", ")})`);
  }
  assert.fail(`it does not come to rest; in each second it has used ${spent.join("; ")}`);
}

/** By number and name. */
function threadTimes(pid: number): Map<string, number> {
  return new Map(
    readdirSync(`/proc/${pid}/task`).map((thread) => {
      const name = readFileSync(`/proc/${pid}/task/${thread}/comm`, "latin1").trim();
      return [`${thread} ${name}`, cpuOf(stat(`${pid}/task/${thread}`))];
    }),
  );
}

/** How many file descriptors a process has, or this one. */
export function countDescriptors(pid: number | "self" = "self"): number {
  return readdirSync(`/proc/${pid}/fd`).length;
}

/** Waits for processes to be no more. */
export async function gone(pids: readonly number[]): Promise<void> {
  const left = (): number[] => pids.filter(runs);
  await until(() => `the end of ${left().join(", ")}`, () => left().length === 0);
}
