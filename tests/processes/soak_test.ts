/**
 * What a session took is given back: a server and its workers stop growing, under every strategy, on
 * every transport.
 *
 * What a heap takes at first is not lost: it comes to a rest after a while. What sessions leave behind
 * goes on for ever, so that each round of as many sessions makes the process as much larger again.
 */
import assert from "node:assert/strict";
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { connect } from "node:net";
import process from "node:process";
import { test } from "node:test";
import type { BindableEndpoint } from "../../runtime/core/contract.ts";
import { Address, parseEndpoint, type UnixEndpoint } from "../../runtime/core/endpoint.ts";
import { adapter, freeAddress, lackingTransport, type PlainTransport } from "../support/adapter.ts";
import { folder } from "../support/folder.ts";
import { children, statusOf } from "../support/proc.ts";
import { get } from "../support/requests.ts";
import type { Scope } from "../support/scope.ts";
import { pluginPath, type ServerProcess, startServer } from "../support/server-process.ts";
import { lackingStrategy, STRATEGIES, type StrategyName } from "../support/strategies.ts";
import { within } from "../support/until.ts";

/** Sessions of a round. `PORTICO_SOAK=50000` is for a long one. */
const ROUND = Number(process.env["PORTICO_SOAK"] ?? 4000);
/** Of what takes a process each. */
const PROCESSES = Math.ceil(ROUND / 200);
/** Of them at once: fewer than a Unix socket's queue has room for. */
const AT_ONCE = 8;
/** Rounds within which it comes to a rest. */
const ROUNDS = 8;
/** By how much it may still grow in a round then: a tenth of what the first one has made it, and some KiB. */
const SHARE = 0.1;
const SLACK = 2048;
/** Milliseconds that a round may take. */
const PATIENCE = 600_000;

/** Each is answered with a byte and an end. */
async function streams(endpoint: string, count: number): Promise<void> {
  const place = parseEndpoint(endpoint) as { path: string } | { host: string; port: number };
  const to = "path" in place ? { path: place.path } : { host: place.host, port: place.port };
  await atOnce(count, async () => {
    const socket = connect({ ...to, allowHalfOpen: true }).resume();
    socket.end("x");
    await once(socket, "close");
    assert.equal(socket.bytesRead, 1);
  });
}

async function requests(endpoint: string, count: number): Promise<void> {
  await atOnce(count, async () => assert.equal((await get(endpoint, "/")).status, 200));
}

async function atOnce(count: number, one: () => Promise<void>): Promise<void> {
  let left = count;
  await Promise.all(Array.from({ length: AT_ONCE }, async () => {
    while (left-- > 0) await one();
  }));
}

async function udp(scope: Scope, endpoint: string, count: number): Promise<void> {
  const { host, port } = parseEndpoint(endpoint) as { host: string; port: number };
  const socket = createSocket("udp4");
  scope.after(() => void socket.close());
  socket.connect(port, host);
  await once(socket, "connect");
  await datagrams(count, () => socket.send("x"), (answered) => socket.on("message", answered));
}

async function unixgram(scope: Scope, endpoint: string, count: number): Promise<void> {
  let answered = (): void => {};
  const own = parseEndpoint(freeAddress(scope, "unixgram")) as BindableEndpoint;
  const socket = await adapter.bind(own, { datagram: () => answered(), failure: fail }, {});
  scope.after(() => socket.close());
  const to = new Address("unixgram", "", 0, (parseEndpoint(endpoint) as UnixEndpoint).path);
  const send = (): void => void socket.send(Uint8Array.of(120), to);
  await datagrams(count, send, (each) => answered = each);
}

function fail(_socket: unknown, error: Error): void {
  throw error;
}

/** Sends so many, each when one of those before it was answered. */
function datagrams(
  count: number,
  send: () => void,
  listen: (answered: () => void) => void,
): Promise<void> {
  return new Promise((resolve) => {
    let sent = Math.min(AT_ONCE, count);
    let answers = 0;
    listen(() => {
      if (++answers === count) resolve();
      if (sent++ < count) send();
    });
    for (let i = 0; i < sent; i++) send();
  });
}

/** The resident memory of a server and of the worker that stays, in KiB. */
function sizes({ pid }: ServerProcess, strategy: StrategyName): number[] {
  const all = strategy === "processes" ? [pid, ...children(pid)] : [pid];
  return all.map((each) => Number(statusOf(each, "VmRSS")[0]));
}

type Round = (scope: Scope, endpoint: string) => Promise<void>;

interface Case {
  readonly strategy: StrategyName;
  readonly transport: PlainTransport | "http";
  readonly plugin?: string;
  readonly options?: object;
  readonly round: Round;
}

const ROUNDS_OF: Readonly<Record<PlainTransport, Round>> = {
  tcp: (_, endpoint) => streams(endpoint, ROUND),
  unix: (_, endpoint) => streams(endpoint, ROUND),
  udp: (scope, endpoint) => udp(scope, endpoint, 2 * ROUND),
  unixgram: (scope, endpoint) => unixgram(scope, endpoint, 2 * ROUND),
};

/**
 * Where the sockets are, all of them; who has workers has there, for every transport, the same descriptors to pass, and
 * in the worker one stream or one datagram is like the other.
 */
const OVER: Readonly<Record<Exclude<StrategyName, "spawn">, readonly PlainTransport[]>> = {
  serial: ["tcp", "udp"],
  async: ["tcp", "unix", "udp", "unixgram"],
  threads: ["tcp", "unixgram"],
  processes: ["unix", "udp"],
};

const CASES: readonly Case[] = [
  ...STRATEGIES.filter((strategy) => strategy !== "spawn").flatMap((strategy) =>
    OVER[strategy].map((transport) => ({ strategy, transport, round: ROUNDS_OF[transport] }))
  ),
  { strategy: "spawn", transport: "tcp", round: (_, endpoint) => streams(endpoint, PROCESSES) },
  {
    strategy: "async",
    transport: "http",
    plugin: pluginPath("web"),
    round: (_, endpoint) => requests(endpoint, ROUND),
  },
];

for (const { strategy, transport, plugin = pluginPath("answer"), round } of CASES) {
  const skip = lackingStrategy(strategy) || lackingTransport(transport);

  test(`${strategy} over ${transport}: what sessions took is given back`, { skip }, async (t) => {
    const workers = strategy === "threads" || strategy === "processes";
    const service = {
      plugin,
      listen: transport === "http" ? "http://127.0.0.1:0" : freeAddress(t, transport),
      concurrency: workers ? { strategy, workers: 1 } : strategy,
      // Records are made, and come from workers; they are not this process's to read.
      log: [{ type: "json", events: ["listening", "ready"] }, { type: "file", path: "/dev/null" }],
    };
    const path = folder(t, { "portico.json": JSON.stringify({ services: { service } }) });
    const server = await startServer(t, path);
    const endpoint = server.endpoint("service", transport);
    const seen: number[][] = [];
    for (let i = 0; i < ROUNDS; i++) {
      await within(`round ${i}: ${JSON.stringify(seen)}`, round(t, endpoint), PATIENCE);
      seen.push(sizes(server, strategy));
      const rests = (size: number, of: number): boolean =>
        size - seen[i - 1]![of]! <= SHARE * seen[0]![of]! + SLACK;
      if (i > 0 && seen[i]!.every(rests)) return await server.stop();
    }
    assert.fail(`it goes on growing, in KiB after each round: ${JSON.stringify(seen)}`);
  });
}
