/** Servers whose workers are watched: the plugin `witness` and what /proc says of processes. */
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { STRATEGY_NAMES as STRATEGIES, type StrategyName } from "../../runtime/core/plan.ts";
import { until } from "./until.ts";
import type { Peer } from "./peers.ts";
import { adapter } from "./room.ts";
import { manifest, pluginPath } from "./server.ts";

export { STRATEGIES, type StrategyName };

/** Those whose sessions are served somewhere else than where the sockets are. */
export const WORKERS = ["threads", "processes", "spawn"] as const;
export const PROCESSES = ["processes", "spawn"] as const;

const { descriptors } = adapter.features;

/** Why there cannot be workers here; false when there can. */
export const noWorkers: string | false = descriptors === true ? false : descriptors.reason;

/** Why a strategy cannot be had here; false when it can. */
export function lackingStrategy(strategy: StrategyName): string | false {
  return strategy === "serial" || strategy === "async" ? false : noWorkers;
}

/** A service of the witness on a free port, that does what it is told line by line. */
export function witness(
  concurrency: string | object,
  options: object = {},
  more: object = {},
): Record<string, unknown> {
  return {
    plugin: pluginPath("witness"),
    listen: "tcp://127.0.0.1:0",
    concurrency,
    options: { form: "obey", ...options },
    ...more,
  };
}

/** A manifest as a file, with a control socket beside it. */
export function files(
  services: Readonly<Record<string, object>>,
  top: object = {},
): { "portico.json": string } {
  const control = { control: "unix:./control.sock", ...top };
  return { "portico.json": JSON.stringify({ ...JSON.parse(manifest(services)), ...control }) };
}

/** Says a line, and waits for the line that answers it. */
export async function ask(peer: Peer, line: string): Promise<string> {
  const before = peer.text.split("\n").length;
  peer.send(`${line}\n`);
  await peer.when(`an answer to ${line}`, () => peer.text.split("\n").length > before);
  return peer.text.split("\n")[before - 1]!;
}

/** Where a session is served. */
export interface Whereabouts {
  /** Process and thread. */
  readonly place: string;
  readonly pid: number;
  readonly id: number;
}

export function whereabouts(answer: string): Whereabouts {
  const found = /^((\d+)\.\d+) (\d+)$/.exec(answer);
  assert.ok(found, answer);
  return { place: found[1]!, pid: Number(found[2]), id: Number(found[3]) };
}

export async function who(peer: Peer): Promise<Whereabouts> {
  return whereabouts(await ask(peer, "who"));
}

/** The fields of proc_pid_stat(5) after the name: state, parent, group, session … */
function stat(pid: number): string[] {
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

/** Its priority, as setpriority(2) has it. */
export function niceOf(pid: number): number {
  return Number(stat(pid)[16]);
}

/** A line of proc_pid_status(5), in words. */
export function statusOf(pid: number, key: string): string[] {
  const text = readFileSync(`/proc/${pid}/status`, "latin1");
  return new RegExp(`^${key}:(.*)$`, "m").exec(text)![1]!.trim().split(/\s+/);
}

export function countDescriptorsOf(pid: number): number {
  return readdirSync(`/proc/${pid}/fd`).length;
}

/** Waits for processes to be no more. */
export async function gone(pids: readonly number[]): Promise<void> {
  const left = (): number[] => pids.filter(runs);
  await until(() => `the end of ${left().join(", ")}`, () => left().length === 0);
}
