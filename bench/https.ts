/**
 * What https costs beside the runtime's bare `https.createServer`: CPU of the server for each request on connections
 * that are kept, for each handshake with one request, and memory; in turns within one run. `node bench/https.ts [RUNTIME]`
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { createInterface } from "node:readline";
import { connect, type TLSSocket } from "node:tls";
import { fileURLToPath } from "node:url";
import { certificates } from "../tests/support/certificates.ts";

const LAPS = 5;
const CONNECTIONS = 32;
const REQUESTS = Number(process.env["REQUESTS"] ?? 8000);
const HANDSHAKES = Number(process.env["HANDSHAKES"] ?? 300);
const MAIN = fileURLToPath(new URL("../runtime/main.ts", import.meta.url).href);
const runtime = process.argv[2] ?? "node";
const words: Readonly<Record<string, readonly string[]>> = {
  node: ["node"],
  bun: ["bun", "run"],
  deno: ["deno", "run", "-A"],
};
const made = certificates();
const home = mkdtempSync(join(tmpdir(), "portico-"));
const tls = { cert: made.file("server"), key: made.file("server", "key") };
writeFileSync(
  join(home, "app.mjs"),
  `export default { fetch: () => new Response("hello") };\n`,
);
writeFileSync(
  join(home, "bare.mjs"),
  `import { createServer } from "node:https";
import { readFileSync } from "node:fs";
const server = createServer({
  cert: readFileSync(${JSON.stringify(tls.cert)}),
  key: readFileSync(${JSON.stringify(tls.key)}),
}, (request, response) => {
  response.writeHead(200, { "content-type": "text/plain" });
  response.end("hello");
}).listen(0, "127.0.0.1", () => {
  console.log(JSON.stringify({ endpoint: "https://127.0.0.1:" + server.address().port }));
});
`,
);
// The least that choosing certificates by name, at run time, costs on this runtime: its parser on its sockets of TLS.
writeFileSync(
  join(home, "emitted.mjs"),
  `import { createServer } from "node:http";
import { createServer as listen } from "node:net";
import { readFileSync } from "node:fs";
import { createSecureContext, TLSSocket } from "node:tls";
const secureContext = createSecureContext({
  cert: readFileSync(${JSON.stringify(tls.cert)}),
  key: readFileSync(${JSON.stringify(tls.key)}),
});
const server = createServer((request, response) => {
  response.writeHead(200, { "content-type": "text/plain" });
  response.end("hello");
});
Object.defineProperty(server, "listening", { value: true });
const listener = listen({ allowHalfOpen: true, noDelay: true }, (raw) => {
  const socket = new TLSSocket(raw, { isServer: true, secureContext, ALPNProtocols: ["http/1.1"] });
  socket.on("error", () => {}).once("secure", () => server.emit("connection", socket));
}).listen(0, "127.0.0.1", () => {
  console.log(JSON.stringify({ endpoint: "https://127.0.0.1:" + listener.address().port }));
});
`,
);
writeFileSync(
  join(home, "portico.json"),
  JSON.stringify({
    services: {
      web: {
        plugin: "http",
        listen: "https://127.0.0.1:0",
        tls,
        options: { app: "./app.mjs" },
        log: { type: "json", level: "info", events: ["listening"] },
      },
    },
  }),
);

interface Measured {
  readonly name: string;
  readonly process: ChildProcess;
  readonly port: number;
  readonly requests: number[];
  readonly handshakes: number[];
}

async function start(name: string, ...args: readonly string[]): Promise<Measured> {
  const [program, ...rest] = words[runtime]!;
  const child = spawn("taskset", ["-c", "0", program!, ...rest, ...args], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const [line] = await once(createInterface({ input: child.stdout! }), "line");
  const port = Number(/\d+$/.exec(JSON.parse(line).endpoint)![0]);
  return { name, process: child, port, requests: [], handshakes: [] };
}

/** CPU of a server, in µs. */
function cpu({ process: { pid } }: Measured): number {
  const tasks = `/proc/${pid}/task`;
  let nanoseconds = 0;
  for (const id of readdirSync(tasks)) {
    nanoseconds += Number(readFileSync(`${tasks}/${id}/schedstat`, "utf8").split(" ")[0]);
  }
  return nanoseconds / 1000;
}

function memory({ process: { pid } }: Measured): number {
  const [, pages] = readFileSync(`/proc/${pid}/statm`, "utf8").split(" ");
  return Number(pages) * 4096 / 1024 / 1024;
}

const REQUEST = "GET / HTTP/1.1\r\nHost: logs.example\r\n\r\n";

async function open(port: number): Promise<TLSSocket> {
  const socket = connect({ host: "127.0.0.1", port, ca: made.cert("ca") });
  await once(socket, "secureConnect");
  return socket;
}

async function kept(server: Measured): Promise<number> {
  const sockets = await Promise.all(
    Array.from({ length: CONNECTIONS }, () => open(server.port)),
  );
  const before = cpu(server);
  let left = REQUESTS;
  await Promise.all(sockets.map((socket) =>
    new Promise<void>((done) => {
      let text = "";
      const ask = (): unknown => left-- > 0 ? socket.write(REQUEST) : done();
      socket.setEncoding("latin1").on("data", (chunk: string) => {
        text += chunk;
        if (!/hello(\r\n0\r\n\r\n)?$/.test(text)) return;
        text = "";
        ask();
      });
      ask();
    })
  ));
  const used = cpu(server) - before;
  for (const socket of sockets) socket.destroy();
  return used / REQUESTS;
}

async function fresh(server: Measured): Promise<number> {
  const before = cpu(server);
  for (let i = 0; i < HANDSHAKES; i++) {
    const socket = await open(server.port);
    socket.write(REQUEST);
    await once(socket, "data");
    socket.end().resume();
    await once(socket, "close");
  }
  return (cpu(server) - before) / HANDSHAKES;
}

const servers = [
  await start("bare", join(home, "bare.mjs")),
  await start("emitted", join(home, "emitted.mjs")),
  await start("portico", MAIN, "run", home),
];
const idle = servers.map(memory);
for (let lap = 0; lap < LAPS; lap++) {
  for (const server of servers) {
    server.requests.push(await kept(server));
    server.handshakes.push(await fresh(server));
  }
}
const median = (all: readonly number[]): number => all.toSorted((a, b) => a - b)[all.length >> 1]!;
const ratio = (one: readonly number[], other: readonly number[]): number =>
  median(one.map((value, at) => value / other[at]!));
console.log(
  `${runtime}: µs of CPU for each request; for each handshake with a request; MiB idle, after`,
);
for (const [at, server] of servers.entries()) {
  const { name, requests, handshakes } = server;
  const figures = [median(requests), median(handshakes), idle[at]!, memory(server)];
  console.log(name.padEnd(10), ...figures.map((figure) => figure.toFixed(1).padStart(8)));
}
const [bare, emitted, portico] = servers;
for (const base of [bare!, emitted!]) {
  console.log(
    `÷ ${base.name}`.padEnd(10),
    ratio(portico!.requests, base.requests).toFixed(2).padStart(8),
    ratio(portico!.handshakes, base.handshakes).toFixed(2).padStart(8),
  );
}
for (const server of servers) {
  server.process.kill();
  await once(server.process, "close");
}
rmSync(home, { recursive: true });
