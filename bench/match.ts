/**
 * What it costs for each connection to be told apart by its first bytes: the CPU of a server, beside the same service on
 * a port of its own, in turns within one run. `node bench/match.ts [RUNTIME]`
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

const CONNECTIONS = Number(process.env["CONNECTIONS"] ?? 1500);
const LAPS = 7;
const MAIN = fileURLToPath(new URL("../runtime/main.ts", import.meta.url).href);
const runtime = process.argv[2] ?? "node";
const words: Readonly<Record<string, readonly string[]>> = {
  node: ["node", MAIN],
  bun: ["bun", "run", MAIN],
  deno: ["deno", "run", "-A", MAIN],
};

const home = mkdtempSync(join(tmpdir(), "portico-"));
const listen = "tcp://127.0.0.1:0";
const log = { type: "json", level: "info", events: ["listening"] };
const workers = { strategy: "processes", workers: 1 };
writeFileSync(
  join(home, "portico.json"),
  JSON.stringify({
    defaults: { log },
    services: {
      plain: { plugin: "echo", listen },
      // Descriptors come to this one, too, and a line that is read before: all but the looking.
      proxied: { plugin: "echo", listen, proxyProtocol: { from: ["127.0.0.1"], mode: "accept" } },
      workers: { plugin: "echo", listen, concurrency: workers },
      match: {
        listen,
        match: [
          { when: { tls: { sni: "*.example.org" } }, service: "plain" },
          { when: "http", service: "plain" },
          { when: "ssh", service: "workers" },
          { otherwise: "plain" },
        ],
      },
    },
  }),
);
const [program, ...rest] = words[runtime]!;
const server = spawn("taskset", ["-c", "0", program!, ...rest, "run", home], {
  stdio: ["ignore", "pipe", "inherit"],
});
const ports = await portsOf(server, 4);

/** CPU of the server itself, in µs: where connections are told apart. */
function cpu(): number {
  const tasks = `/proc/${server.pid}/task`;
  let nanoseconds = 0;
  for (const id of readdirSync(tasks)) {
    nanoseconds += Number(readFileSync(`${tasks}/${id}/schedstat`, "utf8").split(" ")[0]);
  }
  return nanoseconds / 1000;
}

async function lap(port: number, line: string): Promise<number> {
  const before = cpu();
  for (let i = 0; i < CONNECTIONS; i++) {
    const socket = createConnection({ port, host: "127.0.0.1", noDelay: true });
    socket.write(line);
    await once(socket, "data");
    socket.end();
    socket.resume();
    await once(socket, "close");
  }
  return (cpu() - before) / CONNECTIONS;
}

const HTTP = "GET / HTTP/1.1\r\n\r\n";
const SSH = "SSH-2.0-bench\r\n";
const rows: readonly (readonly [string, string, string])[] = [
  ["async, a port of its own", "plain", HTTP],
  ["async, by descriptor", "proxied", HTTP],
  ["async, matched", "match", HTTP],
  ["processes, a port of its own", "workers", SSH],
  ["processes, matched", "match", SSH],
];
const found = rows.map((): number[] => []);
for (let i = 0; i < LAPS; i++) {
  for (const [index, [, name, line]] of rows.entries()) {
    found[index]!.push(await lap(ports.get(name)!, line));
  }
}
console.log(`${runtime}: CPU of the server for each connection, µs, median of ${LAPS} laps`);
for (const [index, [name]] of rows.entries()) {
  const sorted = found[index]!.toSorted((a, b) => a - b);
  console.log(`${name.padEnd(32)} ${sorted[LAPS >> 1]!.toFixed(1)}`);
}
server.kill();
await once(server, "close");
rmSync(home, { recursive: true });

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
