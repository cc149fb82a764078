/**
 * What a connection costs a server: the CPU of its process from the accept to the close, one answer between them. All
 * rows take turns within one run, in short laps, and each is set against its base of the same round: the machine wavers
 * more from lap to lap than they differ. The server has the first core, the client the second one.
 */
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createConnection, type NetConnectOpts } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { createInterface } from "node:readline";
import { connect as connectTls } from "node:tls";
import { find, type Runtime } from "./runtimes.ts";
import type { RuntimeName } from "./case.ts";

const CONNECTIONS = Number(process.env["CONNECTIONS"] ?? 60);
const ROUNDS = Number(process.env["ROUNDS"] ?? 50);
/** Before anything counts: code that has not run often is compiled yet. */
const WARM = Number(process.env["WARM"] ?? 30);
/** At once. */
const LANES = 8;

/** One service, and what each of its peers says first. */
export interface Row {
  readonly what: string;
  /** Undefined: the bare server of the runtime. */
  readonly service: string | undefined;
  readonly says: Uint8Array | string;
  /** Each resumes the session of the first one, so that little is left of a handshake. */
  readonly tls?: true;
  /** The row that it is set against, by {@link what}; a base of its own when silent. */
  readonly base?: string;
}

/** Listens where the kernel likes, and tells nothing but that. */
export const QUIET = {
  listen: "tcp://127.0.0.1:0",
  log: { type: "json", level: "info", events: ["listening"] },
} as const;

/**
 * Measures the rows, those of the second argument if there is one, and prints them.
 *
 * @param files beside the manifest, by their names.
 */
export async function compare(
  services: object,
  all: readonly Row[],
  files: Readonly<Record<string, string>> = {},
): Promise<void> {
  const asked = new RegExp(process.argv[3] ?? "");
  const rows = all.filter(({ what }) => asked.test(what));
  execFileSync("taskset", ["-cp", "1", `${process.pid}`], { stdio: "ignore" });
  const runtime = find((process.argv[2] ?? "node") as RuntimeName);
  const server = await portico(runtime, services, rows, files);
  const plain = await bare(runtime);
  const found = rows.map((): number[] => []);
  const sessions = new Map<Row, Buffer>();
  for (let round = -WARM; round < ROUNDS; round++) {
    for (const [index, row] of rows.entries()) {
      const { child, places } = row.service === undefined ? plain : server;
      const place = places.get(row.service ?? "")!;
      if (row.tls && !sessions.has(row)) sessions.set(row, await sessionOf(place, row.says));
      const lap = await lapOf(child, place, row, sessions.get(row));
      if (round >= 0) found[index]!.push(lap);
    }
  }
  console.log(`${runtime.name} ${runtime.version}: CPU of the server for each connection, µs`);
  for (const [index, { what, base }] of rows.entries()) {
    const at = rows.findIndex((row) => row.what === base);
    const more = found[index]!.map((lap, round) => lap - (found[at]?.[round] ?? lap));
    const [low, middle, high] = [0.25, 0.5, 0.75].map((share) => quantile(more, share).toFixed(1));
    const shown = at < 0 ? "" : `${middle} more than ${base} (${low} to ${high})`;
    console.log(
      `${what.padEnd(34)} ${quantile(found[index]!, 0.5).toFixed(1).padStart(6)}  ${shown}`,
    );
  }
  await Promise.all([server.stop(), plain.stop()]);
}

type Place = { readonly host: string; readonly port: number } | { readonly path: string };

interface Running {
  readonly child: ChildProcess;
  /** By the name of a service. */
  readonly places: ReadonlyMap<string, Place>;
  stop(): Promise<void>;
}

async function portico(
  { program, flags }: Runtime,
  services: object,
  rows: readonly Row[],
  files: Readonly<Record<string, string>>,
): Promise<Running> {
  const home = mkdtempSync(join(tmpdir(), "portico-"));
  for (const [name, text] of Object.entries(files)) writeFileSync(join(home, name), text);
  writeFileSync(join(home, "portico.json"), JSON.stringify({ services }));
  const main = join(import.meta.dirname, "../runtime/main.ts");
  const child = start(program, [...flags, main, "run", home]);
  const names = new Set(rows.map(({ service }) => service).filter((name) => name !== undefined));
  const places = new Map<string, Place>();
  for await (const line of createInterface({ input: child.stdout! })) {
    const { service, endpoint } = JSON.parse(line);
    places.set(service, placeOf(endpoint));
    if ([...names].every((name) => places.has(name))) break;
  }
  return { child, places, stop: () => stop(child).then(() => rmSync(home, { recursive: true })) };
}

/** The server that one writes first. */
async function bare({ program, flags, bare }: Runtime): Promise<Running> {
  const port = 15_000 + Math.floor(Math.random() * 15_000);
  const script = join(import.meta.dirname, `bare/${bare}.ts`);
  const child = start(program, [...flags, script, "tcp", "echo", `${port}`]);
  await once(child.stdout!, "data");
  const places = new Map([["", { host: "127.0.0.1", port }]]);
  return { child, places, stop: () => stop(child) };
}

function placeOf(endpoint: string): Place {
  const [, path] = /^unix:(.*)/.exec(endpoint) ?? [];
  if (path !== undefined) return { path };
  return { host: "127.0.0.1", port: Number(/\d+$/.exec(endpoint)![0]) };
}

/** What a later handshake resumes. */
async function sessionOf(place: Place, says: Row["says"]): Promise<Buffer> {
  const socket = connectTls({ ...place, rejectUnauthorized: false });
  // BoringSSL sends tickets with an answer.
  socket.write(says);
  const [session] = await once(socket, "session");
  socket.destroy();
  return session;
}

function start(program: string, words: readonly string[]): ChildProcess {
  const child = spawn("taskset", ["-c", "0", program, ...words], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  child.stdout!.resume();
  return child;
}

async function stop(child: ChildProcess): Promise<void> {
  const closed = once(child, "close");
  child.stdout!.resume();
  child.kill();
  await closed;
}

/** CPU of a process and its threads, in µs. */
function cpu(pid: number): number {
  const tasks = `/proc/${pid}/task`;
  let nanoseconds = 0;
  for (const id of readdirSync(tasks)) {
    nanoseconds += Number(readFileSync(`${tasks}/${id}/schedstat`, "utf8").split(" ")[0]);
  }
  return nanoseconds / 1000;
}

async function lapOf(
  child: ChildProcess,
  place: Place,
  { says, tls }: Row,
  session: Buffer | undefined,
): Promise<number> {
  const before = cpu(child.pid!);
  let left = CONNECTIONS;
  const lane = async (): Promise<void> => {
    while (left-- > 0) {
      const socket = tls === undefined
        ? createConnection({ ...place, noDelay: true } as NetConnectOpts)
        : connectTls({ ...place, session, rejectUnauthorized: false });
      socket.write(says);
      await once(socket, "data");
      socket.end();
      socket.resume();
      await once(socket, "close");
    }
  };
  await Promise.all(Array.from({ length: LANES }, lane));
  return (cpu(child.pid!) - before) / CONNECTIONS;
}

function quantile(numbers: readonly number[], share: number): number {
  const sorted = numbers.toSorted((a, b) => a - b);
  return sorted[Math.floor(sorted.length * share)]!;
}
