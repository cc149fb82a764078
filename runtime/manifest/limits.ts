import { PREFIXES } from "../core/access/source.ts";
import { WEIGHT_MAX } from "../core/admission/candidate.ts";
import { overflowOf } from "../core/admission/overflow.ts";
import { kindOf } from "../core/endpoint.ts";
import { mergeWays } from "./byte-limits.ts";
import type { Concurrency, Limits, ListenPlan, StrategyName } from "../core/plan.ts";
import { isInherited } from "./inherited.ts";
import { type Path, show } from "../values/problem.ts";
import type { CheckedDefaults, CheckedService } from "./schema.ts";
import type { Problems } from "./source.ts";

/** What holds where a manifest says nothing. */
export const LIMITS: Limits = {
  sessions: Infinity,
  perSource: Infinity,
  source: PREFIXES,
  rate: { count: Infinity, per: 1000 },
  idle: 3_600_000,
  firstByte: 300_000,
  firstByteSaid: false,
  progress: { bytes: 256, per: 120_000 },
  lifetime: Infinity,
  handler: Infinity,
  handshake: 10_000,
  handshakes: 1000,
  refuseRecords: { count: 1, per: 1000, burst: 200 },
  hold: 30_000,
  writeBuffer: 16 * 1024 * 1024,
  waiting: { sessions: Infinity, bytes: WEIGHT_MAX },
  overflow: overflowOf("refuse"),
  rest: 0,
  drain: 10_000,
  start: 10_000,
  stall: Infinity,
};

/** How long the event loop of a worker process may be blocked. A thread is watched where it is asked for. */
const STALL = 30_000;

/** The most processes of `spawn` at once, as socketserver's ForkingMixIn and xinetd have it. */
const SPAWN_MAX = 40;

/** Where the sessions of a service are served. */
const PLACES: Readonly<Record<StrategyName, "here" | "threads" | "processes">> = {
  serial: "here",
  async: "here",
  threads: "threads",
  processes: "processes",
  spawn: "processes",
};

/** Whether a service's sessions are served in processes of its own. */
export function hasProcesses(strategy: StrategyName): boolean {
  return PLACES[strategy] === "processes";
}

/** Whether they are served anywhere else than where the sockets are. */
export function hasWorkers(strategy: StrategyName): boolean {
  return PLACES[strategy] !== "here";
}

type Blocks<Key extends keyof CheckedDefaults> = readonly (CheckedDefaults[Key] | undefined)[];

/** Merges blocks of limits; what stands later wins. */
export function mergeLimits(blocks: Blocks<"limits">, strategy: StrategyName): Limits {
  const limits: Record<string, unknown> = { ...LIMITS };
  let { source, waiting, overflow } = LIMITS;
  if (hasProcesses(strategy)) limits["stall"] = STALL;
  for (const block of blocks) {
    for (const [key, value] of Object.entries(block ?? {})) {
      if (value !== undefined) limits[key === "wait" ? "hold" : key] = value;
    }
    if (block?.firstByte !== undefined) limits["firstByteSaid"] = true;
    // One of its parts may be said alone.
    const { ipv4 = source.ipv4, ipv6 = source.ipv6 } = block?.source ?? {};
    source = { ipv4, ipv6 };
    waiting = waitingOf(waiting, block?.waiting);
    overflow = typeof block?.overflow === "string"
      ? overflowOf(block.overflow)
      : { ...overflow, ...withoutSilent(block?.overflow) };
    if (typeof block?.load === "number") limits["load"] = { average: block.load };
    if (block?.rest === Infinity) limits["rest"] = 0;
  }
  Object.assign(limits, { source, waiting, overflow });
  mergeWays(limits, blocks);
  if (limits["amplification"] === Infinity) delete limits["amplification"];
  // A stall of "defaults" is for those services that somebody watches.
  if (!hasWorkers(strategy)) limits["stall"] = Infinity;
  return limits as unknown as Limits;
}

function waitingOf(
  before: Limits["waiting"],
  block: NonNullable<CheckedDefaults["limits"]>["waiting"],
): Limits["waiting"] {
  if (block === undefined) return before;
  if (typeof block === "number") return { ...before, sessions: block };
  return { ...before, ...withoutSilent(block) };
}

/** What is said of it. */
function withoutSilent<Block extends object>(block: Block | undefined): Required<Present<Block>> {
  const said = Object.entries(block ?? {}).filter(([, value]) => value !== undefined);
  return Object.fromEntries(said) as Required<Present<Block>>;
}

type Present<Block> = { [Key in keyof Block]: Exclude<Block[Key], undefined> };

/** Tells of two names for one limit. */
export function checkLimitNames(
  problems: Problems,
  block: CheckedDefaults["limits"],
  path: Path,
): void {
  if (block?.wait === undefined || block.hold === undefined) return;
  problems.add(
    [...path, "limits", "hold"],
    '"hold" beside "wait"',
    "one of the two: hold is what wait was called before",
    { part: "key" },
  );
}

/** Why a limit of streams means nothing to HTTP, where connections are the runtime's own affair. */
const OF_STREAMS = {
  idle: "lifetime, which ends a request that takes too long",
  firstByte: "lifetime, which ends a request that takes too long",
  writeBuffer: "no such limit: an answer that streams is read as fast as it goes out",
} as const;

/**
 * Tells of what a service that has HTTP endpoints, and none of streams, says of streams. Blocks of
 * "defaults" are for those services that it means something to.
 */
export function checkHttpLimits(
  problems: Problems,
  service: Partial<CheckedService>,
  listen: readonly ListenPlan[],
  path: Path,
): void {
  const kinds = listen.map(({ endpoint }) =>
    isInherited(endpoint) ? "stream" : kindOf(endpoint.transport)
  );
  if (!kinds.includes("http") || kinds.includes("stream")) return;
  for (const key of Object.keys(OF_STREAMS) as (keyof typeof OF_STREAMS)[]) {
    const value = service.limits?.[key];
    if (value === undefined || value === Infinity) continue;
    problems.add(
      [...path, "limits", key],
      `${show(key)} where only HTTP is listened for`,
      `${OF_STREAMS[key]}; connections are the HTTP server's own affair`,
      { part: "key" },
    );
  }
}

/** Merges blocks of the same strategy; another strategy begins anew, since their settings differ. */
export function mergeConcurrency(blocks: Blocks<"concurrency">): Concurrency {
  let merged: {
    strategy: Concurrency["strategy"];
    max?: number | undefined;
    workers?: number | "auto" | undefined;
  } = {
    strategy: "async",
  };
  for (const block of blocks) {
    if (block === undefined) continue;
    const next = typeof block === "string" ? { strategy: block } : block;
    merged = next.strategy === merged.strategy ? { ...merged, ...next } : { ...next };
  }
  const { strategy, max, workers = "auto" } = merged;
  return {
    strategy,
    max: strategy === "serial" ? 1 : max ?? (strategy === "spawn" ? SPAWN_MAX : Infinity),
    workers: strategy === "threads" || strategy === "processes"
      ? workers === "auto" ? navigator.hardwareConcurrency : workers
      : 1,
  };
}
