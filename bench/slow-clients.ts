/**
 * What thousands of slow clients do to one that is quick, and how long they stay:
 *
 *     node bench/slow-clients.ts [--runtime node|node24|deno|bun]... [--clients 2000] [--bare]
 *
 * Three kinds: one byte a second of a line that never ends; one that never reads what it asked for; one
 * that says nothing. The deadlines are those that are on by default, shorter by the same share: the
 * shapes are the same, and a run takes a minute. Quick ones send a line each, wait for it, and 5 ms more:
 * alone, while they come (who never reads has megabytes of kernel's buffers filled first), and beside them,
 * when the server has done for them what there was to do. `--bare` adds a row of the runtime by itself, for
 * those who never read: nothing ends them there, and their buffers are as large as the kernel likes.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { join } from "node:path";
import process from "node:process";
import { createInterface } from "node:readline";
import { parseArgs } from "node:util";
import { Worker } from "node:worker_threads";
import type { RuntimeName } from "./case.ts";
import { clean, folder, start, stop } from "./processes.ts";
import { find, ROOT, type Runtime } from "./runtimes.ts";

/** In the place of 5m, 1h, 256B/2m. */
const LIMITS = { firstByte: "8s", idle: "60s", progress: "256B/8s" };
/** How long each measurement of the quick one takes, in ms: with {@link QUIET} less than {@link LIMITS} leave. */
const LAP = 1200;
/** How long it may take until they are served, in ms. */
const QUIET = 3000;
/** How long, in ms, what they leave behind may stay: `adapters/dropped.ts`. */
const SETTLING = 8000;
/** Within that, in ms, all of one kind have to be gone. */
const PATIENCE = 25_000;

const PLUGIN = `
import { definePlugin } from ${JSON.stringify(join(ROOT, "runtime/mod.ts"))};
export default definePlugin({
  name: "talk",
  transports: ["stream"],
  start: () => ({
    async handle(session) {
      for await (const line of session.lines()) {
        if (line === "pour") for (;;) await session.send("x".repeat(65536));
        await session.send(line + "\\n");
      }
    },
  }),
});
`;

const KINDS = {
  "one byte a second": (socket: Socket) => {
    const timer = setInterval(() => socket.write("x"), 1000);
    socket.on("close", () => clearInterval(timer));
  },
  "never reading": (socket: Socket) => {
    socket.write("pour\n");
    socket.pause();
  },
  "silent": () => {},
} as const;

async function serve(runtime: Runtime, bare = false) {
  const home = folder();
  writeFileSync(join(home, "talk.ts"), PLUGIN);
  const talk = {
    plugin: "./talk.ts",
    listen: { endpoint: "tcp://127.0.0.1:0", sendBuffer: "64KiB" },
    limits: LIMITS,
    log: { type: "json", level: "info", events: ["listening", "ready", "close"] },
  };
  writeFileSync(
    join(home, "portico.json"),
    JSON.stringify({ control: false, services: { talk } }),
  );
  const words = bare
    ? [join(ROOT, "bench/bare/pour.ts")]
    : [join(ROOT, "runtime/main.ts"), "run", home];
  const child = start("server", [runtime.program, ...runtime.flags, ...words]);
  child.stderr!.pipe(process.stderr);
  const { promise, resolve } = Promise.withResolvers<number>();
  let port = 0;
  const reasons = new Map<string, number>();
  createInterface({ input: child.stdout! }).on("line", (line) => {
    const { event, endpoint, reason } = JSON.parse(line);
    if (event === "listening") port = Number(/\d+$/.exec(endpoint)![0]);
    if (event === (bare ? "listening" : "ready")) resolve(port);
    if (event === "close") reasons.set(reason, (reasons.get(reason) ?? 0) + 1);
  });
  return { port: await promise, pid: child.pid!, reasons, end: () => stop(child) };
}

/** Resident memory, in MiB. */
function memoryOf(pid: number): number {
  const status = readFileSync(`/proc/${pid}/status`, "latin1");
  return Number(/^VmRSS:\s+(\d+)/m.exec(status)![1]) / 1024;
}

/** CPU time that it has used, in ms. */
function cpuOf(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, "latin1").replace(/^.*\) /s, "").split(" ");
  return (Number(fields[11]) + Number(fields[12])) * 10;
}

/** Resolves when it has nothing to do for half a second, at the latest when the first of them are to end. */
async function quiet(pid: number): Promise<void> {
  for (const end = performance.now() + QUIET; performance.now() < end;) {
    const before = cpuOf(pid);
    await pause(500);
    if (cpuOf(pid) - before <= 30) return;
  }
}

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** Quick clients at once: of one there would be so few waits in a lap that the 99th percentile is the second worst. */
const QUICK_CLIENTS = 8;

/** In a thread of its own: what the crowd has to do here is none of its business. */
const QUICK = `
const { connect } = require("node:net");
const { parentPort, workerData: { port, lap, clients } } = require("node:worker_threads");
const waits = [];
const end = performance.now() + lap;
let left = clients;
for (let i = 0; i < clients; i++) {
  const socket = connect(port, "127.0.0.1").setNoDelay(true);
  let began = 0;
  const ask = () => {
    began = performance.now();
    socket.write("hello\\n");
  };
  socket.once("connect", ask);
  socket.on("data", () => {
    waits.push(performance.now() - began);
    if (performance.now() < end) return setTimeout(ask, 5);
    socket.destroy();
    if (--left > 0) return;
    waits.sort((a, b) => a - b);
    parentPort.postMessage(waits[Math.floor(waits.length * 0.99)]);
  });
}
`;

/** The 99th percentile of what a quick client waits for its line, in ms. */
function quick(port: number): Promise<number> {
  const workerData = { port, lap: LAP, clients: QUICK_CLIENTS };
  const worker = new Worker(QUICK, { eval: true, workerData });
  return new Promise((resolve, reject) => worker.once("message", resolve).once("error", reject));
}

/** So many of one kind, when all are connected; how many are left. */
async function crowd(port: number, count: number, kind: (socket: Socket) => void) {
  const sockets: Socket[] = [];
  let left = count;
  for (let i = 0; i < count; i++) {
    const socket = connect(port, "127.0.0.1");
    socket.on("error", () => {});
    socket.on("close", () => left--);
    // Whoever does not read does not hear that it is over.
    sockets.push(socket);
    await new Promise((resolve) => {
      socket.once("connect", resolve);
      socket.once("error", resolve);
    });
    kind(socket);
    if (i % 100 === 99) await pause(5);
  }
  return { sockets, left: () => left };
}

const { values } = parseArgs({
  options: {
    runtime: { type: "string", multiple: true, default: ["node", "deno", "bun"] },
    clients: { type: "string", default: "2000" },
    bare: { type: "boolean", default: false },
  },
});
const count = Number(values.clients);

interface Row {
  readonly name: string;
  readonly kind: string;
  readonly ended: string;
  readonly last: string;
  readonly laps: readonly (readonly [p99: number, cpu: number])[];
  readonly memory: readonly number[];
}

function print({ name, kind, ended, last, laps, memory }: Row): void {
  const cells = [
    name,
    kind,
    ended,
    last,
    ...laps.map(([p99]) => `${p99.toFixed(2)} ms`),
    ...laps.filter((_, lap) => lap !== 1).map(([, cpu]) => `${cpu.toFixed(0)} ms`),
    ...memory.map((mib) => `${mib.toFixed(0)} MiB`),
  ];
  console.log(`| ${cells.join(" | ")} |`);
}

/** The quick one, and what CPU time the server takes in a second meanwhile. */
async function lap({ port, pid }: { readonly port: number; readonly pid: number }) {
  const before = cpuOf(pid);
  const p99 = await quick(port);
  return [p99, (cpuOf(pid) - before) / LAP * 1000] as const;
}

async function bareRow(runtime: Runtime): Promise<void> {
  const server = await serve(runtime, true);
  await quick(server.port);
  const alone = await lap(server);
  const before = memoryOf(server.pid);
  const { sockets } = await crowd(server.port, count, KINDS["never reading"]);
  const coming = await lap(server);
  await quiet(server.pid);
  const laps = [alone, coming, await lap(server)];
  const memory = [before, memoryOf(server.pid)];
  for (const socket of sockets) socket.destroy();
  const name = `${runtime.name} ${runtime.version}, bare`;
  print({ name, kind: "never reading", ended: "-", last: "-", laps, memory });
  await server.end();
}

async function rows(runtime: Runtime): Promise<void> {
  const server = await serve(runtime);
  const { port, pid, reasons } = server;
  await quick(port);
  // The first of it is the runtime's: code, and memory that it keeps at hand.
  const { sockets: first } = await crowd(port, count, KINDS["never reading"]);
  await quiet(pid);
  for (const socket of first) socket.destroy();
  await pause(SETTLING);
  for (const [kind, act] of Object.entries(KINDS)) {
    const alone = await lap(server);
    const before = memoryOf(pid);
    reasons.clear();
    const { sockets } = await crowd(port, count, act);
    const began = performance.now();
    const coming = await lap(server);
    await quiet(pid);
    const laps = [alone, coming, await lap(server)];
    const during = memoryOf(pid);
    const left = (): number =>
      count - [...reasons].reduce((sum, [why, n]) => why === "peer" ? sum : sum + n, 0);
    while (left() > 0 && performance.now() - began < PATIENCE) await pause(50);
    const last = `${((performance.now() - began) / 1000).toFixed(1)} s`;
    for (const socket of sockets) socket.destroy();
    // What is dropped is collected in the seconds after.
    await pause(SETTLING);
    const ended = [...reasons].filter(([reason]) => reason !== "peer")
      .map(([reason, n]) => `${reason} ${n}`).join(", ");
    const name = `${runtime.name} ${runtime.version}`;
    print({ name, kind, ended, last, laps, memory: [before, during, memoryOf(pid)] });
  }
  await server.end();
}

console.log(
  "| runtime | kind | ended by | the last after | p99 alone | as they come | beside them | CPU a second alone | beside them | memory before | with them | after |",
);
console.log(`| --- | --- | --- |${" --: |".repeat(9)}`);
for (const name of values.runtime) {
  const runtime = find(name as RuntimeName);
  if (values.bare) await bareRow(runtime);
  await rows(runtime);
}
clean();
process.exit(0);
