/** Reads what the profilers of the three runtimes write: `.cpuprofile`, as the developer tools of browsers have it. */
import { readFileSync } from "node:fs";
import { relative } from "node:path";
import { fileURLToPath } from "node:url";
import { ROOT } from "../runtimes.ts";

interface Raw {
  readonly nodes: readonly {
    readonly id: number;
    readonly callFrame: {
      readonly functionName: string;
      readonly url: string;
      readonly lineNumber: number;
    };
  }[];
  /** Microseconds: of the monotonic clock (V8), or since 1970 (Bun). */
  readonly startTime: number;
  readonly samples: readonly number[];
  readonly timeDeltas: readonly number[];
}

/** A moment, by both clocks, in microseconds. */
export interface Moment {
  readonly monotonic: number;
  readonly wall: number;
}

export function moment(): Moment {
  return { monotonic: Number(process.hrtime.bigint() / 1_000n), wall: Date.now() * 1_000 };
}

/** The part of the busy samples that fell upon a function, or a file, itself; what it calls is not in it. */
export interface Share {
  readonly name: string;
  readonly part: number;
}

export interface Profile {
  readonly functions: readonly Share[];
  readonly files: readonly Share[];
  readonly samples: number;
}

/** V8 samples while nothing runs, too. */
const IDLE = "(idle)";
/** A number since 1970 is above this, one since the start of the machine is not. */
const WALL = 1e15;

/** What happened from one moment to another. */
export function read(file: string, from: Moment, to: Moment): Profile {
  const { nodes, startTime, samples, timeDeltas } = JSON.parse(readFileSync(file, "utf8")) as Raw;
  const clock = startTime > WALL ? "wall" : "monotonic";
  const frames = new Map(nodes.map(({ id, callFrame }) => [id, callFrame]));
  const functions = new Map<string, number>();
  const files = new Map<string, number>();
  const count = (into: Map<string, number>, name: string): void => {
    into.set(name, (into.get(name) ?? 0) + 1);
  };
  let at = startTime;
  let busy = 0;
  for (const [i, id] of samples.entries()) {
    at += timeDeltas[i] ?? 0;
    const frame = frames.get(id);
    if (frame === undefined || frame.functionName === IDLE) continue;
    if (at < from[clock] || at > to[clock]) continue;
    busy++;
    const { functionName, url, lineNumber } = frame;
    const place = placeOf(url);
    const name = functionName || "(anonymous)";
    count(functions, place === NATIVE ? name : `${name} ${place}:${lineNumber + 1}`);
    count(files, place);
  }
  return { functions: sorted(functions, busy), files: sorted(files, busy), samples: busy };
}

const NATIVE = "(native)";

/** A file of this checkout, from its root; the rest as the runtime says it. */
function placeOf(url: string): string {
  if (url === "") return NATIVE;
  const path = url.startsWith("file:") ? fileURLToPath(url) : url;
  return path.startsWith(`${ROOT}/`) ? relative(ROOT, path) : path;
}

function sorted(counts: ReadonlyMap<string, number>, all: number): Share[] {
  return [...counts].map(([name, count]) => ({ name, part: count / all }))
    .sort((a, b) => b.part - a.part);
}
