/**
 * What the deadlines of many sessions cost on this runtime, beside a walk through all of them each second:
 *
 *     node bench/deadlines.ts [--sessions 50000] [--seconds 120]
 *     bun bench/deadlines.ts        deno run -A bench/deadlines.ts
 *
 * The sessions are those of the core, on connections that are none, with the deadlines of a manifest that
 * says nothing. The clock is moved by hand: of two hours, say, only what deadlines do takes time.
 */
import process from "node:process";
import { parseArgs } from "node:util";
import { UNLIMITED } from "../runtime/core/admission/permit.ts";
import type { Clock, Timer } from "../runtime/core/clock.ts";
import type { Connection } from "../runtime/core/contract.ts";
import { Address } from "../runtime/core/endpoint.ts";
import { Log } from "../runtime/core/log.ts";
import { EVERYBODY, type ServicePlan } from "../runtime/core/plan.ts";
import { Service } from "../runtime/core/service.ts";
import { Gather } from "../runtime/core/stream/gather.ts";
import { StreamPipeline } from "../runtime/core/stream/pipeline.ts";
import type { StreamSession } from "../runtime/core/stream/session.ts";
import { LIMITS } from "../runtime/manifest/limits.ts";

const { values } = parseArgs({
  options: {
    sessions: { type: "string", default: "50000" },
    seconds: { type: "string", default: "120" },
  },
});
const SESSIONS = Number(values.sessions);
const SECONDS = Number(values.seconds);

/** A clock that is moved, and knows how long its callbacks have taken. */
class BenchClock implements Clock {
  time = 0;
  /** Of all callbacks, and of the longest, in ms of CPU; how many. */
  spent = 0;
  longest = 0;
  calls = 0;
  readonly #timers: Set<{ at: number; callback: () => void }> = new Set();

  now(): number {
    return this.time;
  }

  wall(): number {
    return this.time;
  }

  setTimeout(callback: () => void, ms: number): Timer {
    const timer = { at: this.time + ms, callback };
    this.#timers.add(timer);
    return timer as unknown as Timer;
  }

  setInterval(): Timer {
    throw new Error("there is no interval in what is measured");
  }

  clear(timer: Timer | undefined): void {
    this.#timers.delete(timer as never);
  }

  moveTo(end: number): void {
    for (;;) {
      let first: { at: number; callback: () => void } | undefined;
      for (const timer of this.#timers) {
        if (timer.at <= end && (first === undefined || timer.at < first.at)) first = timer;
      }
      if (first === undefined) break;
      this.#timers.delete(first);
      this.time = Math.max(this.time, first.at);
      this.run(first.callback);
    }
    this.time = end;
  }

  run(callback: () => void): void {
    // CPU, not time: other programs of the machine are none of its business.
    const began = process.cpuUsage();
    callback();
    const { user, system } = process.cpuUsage(began);
    const took = (user + system) / 1000;
    this.spent += took;
    this.longest = Math.max(this.longest, took);
    this.calls++;
  }

  reset(): void {
    this.spent = this.longest = this.calls = 0;
  }
}

class NoConnection implements Connection {
  data: unknown = undefined;
  readonly pending = 0;
  readonly remote = PEER;
  readonly local = PEER;
  onAbort: () => void = () => {};

  write(): boolean {
    return true;
  }
  pause(): void {}
  resume(): void {}
  end(): void {}
  abort(): void {
    this.onAbort();
  }
}

const PEER = new Address("tcp", "192.0.2.7", 5353, "");

function pipelineOf(clock: Clock): StreamPipeline {
  const plan: ServicePlan = {
    name: "bench",
    plugin: { specifier: "bench", url: "memory:" },
    admin: false,
    listen: [],
    concurrency: { strategy: "async", max: Infinity, workers: 1 },
    log: [],
    options: {},
    limits: LIMITS,
    access: EVERYBODY,
    processes: { env: {} },
    folder: ".",
  } as unknown as ServicePlan;
  let id = 0;
  const service = new Service({
    plan,
    hooks: { data() {} },
    log: new Log([], () => {}),
    gather: new Gather({ defer: (callback) => setTimeout(callback, 0), turns: "round" }),
    lends: "never",
    nextId: () => ++id,
    clock,
  });
  return new StreamPipeline(service);
}

function heap(): number {
  if ("Bun" in globalThis) {
    const { Bun } = globalThis as unknown as { Bun: { gc(sync: boolean): void } };
    Bun.gc(true);
  } else (globalThis as { gc?: () => void }).gc?.();
  return process.memoryUsage().heapUsed;
}

/** Numbers that are the same in each run. */
let state = 1;
function random(): number {
  state = Math.imul(state ^ state >>> 15, 0x2c1b3c6d) + 0x9e3779b9 | 0;
  return (state >>> 0) / 2 ** 32;
}

const clock = new BenchClock();
const pipeline = pipelineOf(clock);
const { table, deadlines } = pipeline;
const connections: NoConnection[] = Array.from({ length: SESSIONS }, () => new NoConnection());
const before = heap();
for (let i = 0; i < SESSIONS; i++) {
  // They come over a minute.
  clock.moveTo(60_000 * i / SESSIONS);
  pipeline.accept(connections[i]!, { id: i, permit: UNLIMITED });
}
const bytes = (heap() - before) / SESSIONS;
const chunk = new Uint8Array(64);

interface Row {
  readonly name: string;
  readonly cpu: number;
  readonly longest: number;
  readonly calls: number;
}
const rows: Row[] = [];

/** Measures so many seconds in which a share of the sessions says something in each. */
function measure(name: string, share: number, each?: () => void): void {
  clock.reset();
  let now = clock.time;
  for (let second = 0; second < SECONDS; second++) {
    for (let i = 0; i < share * SESSIONS; i++) {
      table.data(connections[Math.floor(random() * SESSIONS)]!, chunk);
    }
    now += 1000;
    clock.moveTo(now);
    if (each !== undefined) clock.run(each);
  }
  rows.push({
    name,
    cpu: clock.spent / SECONDS,
    longest: clock.longest,
    calls: clock.calls / SECONDS,
  });
}

/** What was there before: each second a list of all, with the same questions. */
let missed = 0;
function walk(): void {
  const now = deadlines.now;
  const list: StreamSession[] = [];
  for (const { data } of connections) list.push(data as StreamSession);
  list.forEach((session) => {
    const age = now - session.opened;
    if (session.phase !== "served" || age > LIMITS.lifetime) missed++;
    else if (session.bytesIn === 0 && age > LIMITS.firstByte) missed++;
    else if (now - session.active > LIMITS.idle) missed++;
  });
}

for (const connection of connections) table.data(connection, chunk);
measure("warm", 0.1, walk);
rows.length = 0;
measure("wheel, nobody says anything", 0);
measure("wheel, a tenth says something each second", 0.1);
const withWalk = (name: string, share: number): void => {
  const [, wheel] = rows;
  measure(name, share, walk);
  const both = rows.pop()!;
  rows.push({ ...both, cpu: both.cpu - (share > 0 ? wheel!.cpu : rows[0]!.cpu) });
};
withWalk("a walk each second, a tenth says something", 0.1);

// Nobody says anything any more: all of them are idle too long within a minute.
let closed = 0;
for (const connection of connections) {
  connection.onAbort = () => {
    connection.onAbort = () => {};
    closed++;
    queueMicrotask(() => table.close(connection, undefined));
  };
}
clock.reset();
const end = clock.time + LIMITS.idle + 120_000;
for (let now = clock.time; now < end; now += 60_000) {
  clock.moveTo(now);
  await Promise.resolve();
}
rows.push({
  name: `all ${closed} end for idle, in all`,
  cpu: clock.spent,
  longest: clock.longest,
  calls: clock.calls,
});

const runtime = "Bun" in globalThis
  ? `Bun ${process.versions["bun"]}`
  : "Deno" in globalThis
  ? `Deno ${process.versions["deno"]}`
  : `Node ${process.versions.node}`;
console.log(`${runtime}: ${SESSIONS} sessions, ${Math.round(bytes)} bytes of heap each\n`);
console.log("| what | ms of CPU a second | longest, ms | looks a second |");
console.log("| --- | ---: | ---: | ---: |");
for (const { name, cpu, longest, calls } of rows) {
  console.log(`| ${name} | ${cpu.toFixed(2)} | ${longest.toFixed(2)} | ${calls.toFixed(1)} |`);
}
process.exit(missed === 0 ? 0 : 1);
