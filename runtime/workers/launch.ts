/** Starting a worker, as a thread or as a process: both are given one end of a channel and of a descriptor channel. */
import { type ChildProcess, spawn } from "node:child_process";
import * as module from "node:module";
import { dirname } from "node:path";
import process from "node:process";
import { URL } from "node:url";
import { Worker } from "node:worker_threads";
import type { Descriptors } from "../core/descriptors.ts";
import { isShortage, messageOf, PorticoError } from "../core/errors.ts";
import type { ServicePlan } from "../core/plan.ts";
import type { Fields } from "../core/record.ts";
import { closeEnds, openEnds } from "./channel-ends.ts";
import type { Host } from "../services/contract.ts";
import { CACHE, WORKER, WORKER_CACHE } from "./variable.ts";

/** How a worker has ended. */
export interface Exit {
  readonly code: number | undefined;
  readonly signal: string | undefined;
  /** What an exception that nobody caught said. */
  readonly message?: string;
  /** It could not begin: this machine had not enough of something. */
  readonly shortage?: boolean;
  /** Nobody knows whether it has really ended: its ends stay open. */
  readonly lingers?: boolean;
}

/** What whoever waits for it to be ready is told. */
export function endedTooSoon({ message, signal, code }: Exit): PorticoError {
  const how = message ?? (signal === undefined ? `code ${code}` : `signal ${signal}`);
  return new PorticoError("START_FAILED", `the worker ended before it was ready: ${how}`);
}

/** What a record says of it. */
export function exitFields({ code, signal }: Exit, why: string | undefined): Fields {
  // The kernel has ended it for the CPU time that it has used up.
  const reason = why ?? (signal === "SIGXCPU" ? "cpu" : undefined);
  return {
    ...(code !== undefined && { code }),
    ...(signal !== undefined && { signal }),
    ...(reason !== undefined && { reason }),
  };
}

/** A worker that was started. */
export interface Launched {
  readonly pid: number;
  /** Our end of the channel, and the one that descriptors are sent along. The caller's. */
  readonly channel: number;
  readonly descriptorChannel: number;
  /** Ends it at once, whatever it is doing. */
  kill(): void;
  readonly exited: Promise<Exit>;
}

/** Starts one worker. */
export type Launch = (host: Host, descriptors: Descriptors, plan: ServicePlan) => Launched;

/** How workers are used. */
export interface WorkerUse {
  readonly launch: Launch;
  /** Each serves one session and ends; the next ones are started ahead. */
  readonly once: boolean;
}

/**
 * A thread borrows its ends: the supervisor closes them when it has ended, however that came about.
 * But one that may run on keeps them: their numbers would be those of somebody else's sockets.
 */
export const launchThread: Launch = (host, descriptors) => {
  const [ours, theirs] = openEnds(descriptors);
  const start = host.adapter.thread(host.worker);
  const given = { workerData: theirs, stdin: false };
  const worker = "url" in start
    ? new Worker(new URL(start.url), given)
    : new Worker(start.code, { ...given, eval: true, execArgv: [...start.flags] });
  let failure: Partial<Exit> = {};
  let lingers = false;
  const exited = new Promise<Exit>((resolve) => {
    worker.once("error", (error) => failure = failureOf(error));
    worker.once("exit", (code) => {
      if (!lingers) closeEnds(descriptors, theirs);
      resolve({ code, signal: undefined, lingers, ...failure });
    });
  });
  function kill(): void {
    lingers ||= host.adapter.features.endsThreads !== true;
    void worker.terminate();
  }
  return { pid: process.pid, ...ours, kill, exited };
};

/** A process finds the channel as its stdin, and the end of the descriptor channel as the first thing on it. */
export const launchProcess: Launch = (host, descriptors, plan) => {
  const [ours, theirs] = openEnds(descriptors);
  let child: ChildProcess;
  try {
    const [program, ...args] = host.adapter.command(host.worker, []);
    descriptors.pass(ours.channel, theirs.descriptorChannel);
    child = spawn(program, args, {
      stdio: [theirs.channel, "inherit", "inherit"],
      env: environment(plan),
    });
  } catch (error) {
    closeEnds(descriptors, ours);
    throw error;
  } finally {
    closeEnds(descriptors, theirs);
  }
  const exited = new Promise<Exit>((resolve) => {
    child.once("error", (error) => {
      resolve({ code: undefined, signal: undefined, ...failureOf(error) });
    });
    child.once("exit", (code, signal) => {
      resolve({ code: code ?? undefined, signal: signal ?? undefined });
    });
  });
  const { pid } = child;
  return {
    pid: pid ?? 0,
    ...ours,
    kill() {
      if (pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
      try {
        process.kill(pid, "SIGKILL");
      } catch {
        // It has ended meanwhile.
      }
    },
    exited,
  };
};

/** What an exception says of an end. Runtimes wrap a shortage, and keep its name in the text. */
function failureOf(error: unknown): Partial<Exit> {
  const message = messageOf(error);
  return { message, shortage: isShortage(error) || /\b(?:EMFILE|ENFILE|ENOMEM)\b/.test(message) };
}

/**
 * Where this process keeps compiled code, if it does. A worker that asks for it by itself has read its first
 * module by then: of TypeScript, that has cost Node 26 40 ms, for the compiler alone.
 */
const kept = module.getCompileCacheDir?.();
const compiled: string | undefined = kept === undefined ? undefined : dirname(kept);

function environment(plan: ServicePlan): Record<string, string> {
  const env: Record<string, string> = { [WORKER]: plan.name };
  for (const [name, value] of Object.entries({ ...process.env, ...plan.processes.env })) {
    if (typeof value === "string") env[name] = value;
  }
  if (env[CACHE] === undefined && compiled !== undefined) {
    env[WORKER_CACHE] = "1";
    env[CACHE] = compiled;
  }
  return env;
}
