/** Runs one server of a case under the profiler, or under strace. */
import { once } from "node:events";
import { basename, join } from "node:path";
import { existsSync } from "node:fs";
import type { Case } from "../case.ts";
import { Client } from "../client.ts";
import type { Lap } from "../load/traffic.ts";
import { answers } from "../probe.ts";
import { ROOT, type Runtime } from "../runtimes.ts";
import { Server, type Side, type Wishes } from "../server.ts";
import { ready } from "../start.ts";
import { type Moment, moment, type Profile, read } from "./cpuprofile.ts";
import { type Calls, count } from "./syscalls.ts";

/** Code that has not run often enough yet is another program. */
const WARM_UP = 1_500;
const GONE = 15_000;

export interface Recording extends Profile {
  readonly file: string;
  /** CPU microseconds for each message, with the profiler's own; milliseconds of the start for `start`. */
  readonly cost: number;
}

interface Wanted {
  readonly ms: number;
  readonly interval: number;
  readonly against: string | undefined;
}

/** What makes a runtime write a profile at its end, and a server end that does not know SIGTERM. */
function flags(runtime: Runtime, file: string, interval: number, bare: boolean): string[] {
  const ends = join(ROOT, "bench/profile/ends.mjs");
  return [
    "--cpu-prof",
    `--cpu-prof-dir=${join(file, "..")}`,
    `--cpu-prof-name=${basename(file)}`,
    `--cpu-prof-interval=${interval}`,
    ...(bare ? [`--${runtime.bare === "node" ? "import" : "preload"}=${ends}`] : []),
  ];
}

function side(runtime: Runtime, which: Side, of: Case, against: string | undefined, more: Wishes) {
  return Server.side(runtime, which, of, { self: false, against }, more);
}

/** Messages of one lap that counts, on a server that is warm. */
async function load(
  of: Case,
  server: Server,
  around: (lap: () => Promise<Lap>) => Promise<void>,
  ms: number,
): Promise<void> {
  const client = new Client();
  try {
    await answers(server, of, client);
    const names = of.shapes.map((_, i) => `load${i}`);
    for (const [i, shape] of of.shapes.entries()) {
      await client.open(names[i]!, server.target, shape);
    }
    await client.run(names, WARM_UP, server.pids);
    await around(() => client.run(names, ms, server.pids));
  } finally {
    await client.stop();
  }
}

/** Ends it in order, so that the profile is written. */
async function end(server: Server): Promise<void> {
  const { child } = server;
  const timer = setTimeout(() => child.kill("SIGKILL"), GONE);
  const gone = child.exitCode === null ? once(child, "exit") : undefined;
  child.kill("SIGTERM");
  await gone;
  clearTimeout(timer);
}

/** Profiles one side of a case; undefined when there is nothing to profile: it is written in C. */
export async function record(
  runtime: Runtime,
  which: Side,
  of: Case,
  file: string,
  { ms, interval, against }: Wanted,
): Promise<Recording | undefined> {
  const subject = which === "base" && against === undefined ? of.base : of.portico;
  if (subject.by === "c") return undefined;
  const began = moment();
  const server = await side(runtime, which, of, against, {
    flags: flags(runtime, file, interval, subject.by === "bare"),
    ...(of.kind === "start" && { level: "info" as const }),
  });
  let window: [Moment, Moment] = [began, began];
  let cost = 0;
  try {
    if (of.kind === "start") {
      cost = await ready(server);
      window = [began, moment()];
    } else {
      await load(of, server, async (run) => {
        const from = moment();
        const lap = await run();
        window = [from, moment()];
        cost = lap.cpu / 1_000 / lap.loads[0]!.messages;
      }, ms);
    }
  } finally {
    await end(server);
  }
  if (!existsSync(file)) throw new Error(`no profile was written\n${server.errors}`.trim());
  return { ...read(file, ...window), file, cost };
}

/** Counts system calls of one side of a case. */
export async function calls(
  runtime: Runtime,
  which: Side,
  of: Case,
  { ms, against }: Wanted,
): Promise<Calls> {
  const server = await side(runtime, which, of, against, {});
  try {
    let counted: Calls = new Map();
    await load(of, server, async (run) => {
      counted = await count(server.pid, async () => (await run()).loads[0]!.messages);
    }, ms);
    return counted;
  } finally {
    await server.stop();
  }
}
