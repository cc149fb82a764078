/**
 * What a PROXY header costs for each connection: the CPU of a server that hears one, beside the same server without,
 * in turns within one run. `node bench/proxy-protocol.ts [RUNTIME]`
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createConnection } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { Address } from "../runtime/core/endpoint.ts";
import {
  writeProxyVersion1,
  writeProxyVersion2,
} from "../runtime/core/prologue/write-proxy-header.ts";

const CONNECTIONS = Number(process.env["CONNECTIONS"] ?? 1500);
const LAPS = Number(process.env["LAPS"] ?? 5);
const MAIN = fileURLToPath(new URL("../runtime/main.ts", import.meta.url).href);
const runtime = process.argv[2] ?? "node";
const words: Readonly<Record<string, readonly string[]>> = {
  node: ["node", MAIN],
  bun: ["bun", "run", MAIN],
  deno: ["deno", "run", "-A", MAIN],
};

const home = mkdtempSync(join(tmpdir(), "portico-"));
const from = { from: ["127.0.0.1"] };
const service = (more: object): object => ({
  plugin: "echo",
  listen: "tcp://127.0.0.1:0",
  log: { type: "json", level: "info", events: ["listening"] },
  ...more,
});

writeFileSync(
  join(home, "portico.json"),
  JSON.stringify({
    services: {
      plain: service({}),
      proxied: service({ proxyProtocol: from }),
      workers: service({ concurrency: { strategy: "processes", workers: 1 } }),
      proxiedWorkers: service({
        concurrency: { strategy: "processes", workers: 1 },
        proxyProtocol: from,
      }),
    },
  }),
);
const [program, ...rest] = words[runtime]!;
const server = spawn("taskset", ["-c", "0", program!, ...rest, "run", home], {
  stdio: ["ignore", "pipe", "inherit"],
});
const ports = await portsOf(server, 4);

/** CPU of the server itself, in µs: where headers are read. */
function cpu(): number {
  const tasks = `/proc/${server.pid}/task`;
  let nanoseconds = 0;
  for (const id of readdirSync(tasks)) {
    nanoseconds += Number(readFileSync(`${tasks}/${id}/schedstat`, "utf8").split(" ")[0]);
  }
  return nanoseconds / 1000;
}

async function lap(port: number, header: Uint8Array): Promise<number> {
  const before = cpu();
  const first = new Uint8Array([...header, 120]);
  for (let i = 0; i < CONNECTIONS; i++) {
    const socket = createConnection({ port, host: "127.0.0.1", noDelay: true });
    socket.write(first);
    await once(socket, "data");
    socket.end();
    socket.resume();
    await once(socket, "close");
  }
  return (cpu() - before) / CONNECTIONS;
}

const peer = new Address("tcp", "192.0.2.7", 50000, "");
const v1 = writeProxyVersion1(peer, peer);
const v2 = writeProxyVersion2(peer, peer);
const rows: [string, string, Uint8Array][] = [
  ["async, without", "plain", new Uint8Array()],
  ["async, version 1", "proxied", v1],
  ["async, version 2", "proxied", v2],
  ["processes, without", "workers", new Uint8Array()],
  ["processes, version 2", "proxiedWorkers", v2],
];
const found = rows.map((): number[] => []);
for (let i = 0; i < LAPS; i++) {
  for (const [index, [, name, header]] of rows.entries()) {
    found[index]!.push(await lap(ports.get(name)!, header));
  }
}
console.log(`${runtime}: CPU of the server for each connection, µs, median of ${LAPS} laps`);
for (const [index, [name, service]] of rows.entries()) {
  // Beside the lap without a header of the same round: the machine wavers more between them than within.
  const base = found[service.endsWith("orkers") ? 3 : 0]!;
  const more = median(found[index]!.map((lap, round) => lap - base[round]!));
  console.log(`${name.padEnd(24)} ${median(found[index]!).toFixed(1)}  ${more.toFixed(1)} more`);
}
server.kill();
await once(server, "close");
rmSync(home, { recursive: true });

function median(numbers: readonly number[]): number {
  return numbers.toSorted((a, b) => a - b)[numbers.length >> 1]!;
}

async function portsOf(child: ChildProcess, count: number): Promise<Map<string, number>> {
  const ports = new Map<string, number>();
  for await (const line of createInterface({ input: child.stdout! })) {
    const { service, endpoint } = JSON.parse(line);
    ports.set(service, Number(/\d+$/.exec(endpoint)![0]));
    if (ports.size === count) break;
  }
  child.stdout!.resume();
  return ports;
}
