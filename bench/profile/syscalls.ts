/** System calls for each message, counted by strace: free of noise, whatever else the machine does. */
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { folder } from "../processes.ts";
import { UsageError } from "../usage.ts";

export type Calls = ReadonlyMap<string, number>;

/** @throws UsageError when there is no strace */
export function requireStrace(): void {
  if (spawnSync("strace", ["-V"], { stdio: "ignore" }).status !== 0) {
    throw new UsageError("--syscalls needs strace");
  }
}

/** Counts the calls of a process and its threads while `during` goes on, for each of the messages that it gives. */
export async function count(pid: number, during: () => Promise<number>): Promise<Calls> {
  const file = join(folder(), "strace");
  const words = ["-c", "-f", "-q", "-U", "name,calls", "-o", file, "-p", String(pid)];
  const strace = spawn("strace", words, { stdio: ["ignore", "ignore", "pipe"] });
  let said = "";
  strace.stderr.setEncoding("utf8").on("data", (text: string) => said += text);
  const ended = once(strace, "exit");
  await attached(pid, () => strace.exitCode === null ? undefined : said);
  const messages = await during();
  strace.kill("SIGINT");
  await ended;
  return parse(readFileSync(file, "utf8"), messages);
}

/** Waits until somebody traces the process. @throws with strace's words when it has ended */
async function attached(pid: number, failed: () => string | undefined): Promise<void> {
  while (/^TracerPid:\s+0$/m.test(readFileSync(`/proc/${pid}/status`, "latin1"))) {
    const why = failed();
    if (why !== undefined) throw new Error(why.trim());
    await pause(10);
  }
}

/** Rows are a name and a count, the last is the total. */
function parse(text: string, messages: number): Calls {
  const rows = text.matchAll(/^(\w+)\s+(\d+)\s*$/gm);
  const each = [...rows].filter(([, name]) => name !== "total");
  return new Map(each.map(([, name, calls]) => [name!, Number(calls) / messages]));
}
