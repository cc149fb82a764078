/**
 * What TLS costs, beside `node:tls` by itself on the same runtime:
 *
 *     node bench/tls.ts [--runtime node|node24|deno|bun]... [--laps 3] [--mebibytes 128] [--handshakes 300]
 *
 * Both servers run at once and are measured in turns. CPU is that of the server's process, all threads; a
 * median of the laps' ratios means more than any of the figures.
 */
import { execFileSync } from "node:child_process";
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { createInterface } from "node:readline";
import { connect, type ConnectionOptions, type TLSSocket } from "node:tls";
import { parseArgs } from "node:util";
import type { RuntimeName } from "./case.ts";
import { clean, folder, start } from "./processes.ts";
import { find, ROOT, type Runtime } from "./runtimes.ts";

const PLUGIN = `
import { definePlugin } from ${JSON.stringify(join(ROOT, "runtime/mod.ts"))};
const BLOCK = new Uint8Array(65536).fill(7);
function pump(session) {
  const { state } = session;
  while (state.left > 0) {
    state.left -= BLOCK.length;
    if (!session.write(BLOCK)) return;
  }
  state.pumping = false;
  session.end();
}
export default definePlugin({
  name: "bulk",
  transports: ["stream"],
  start: () => ({
    setup: () => ({ left: 0, first: true, pumping: false }),
    data(session, chunk) {
      const { state } = session;
      if (state.first && chunk[0] === 68) {
        state.left = Number(new TextDecoder().decode(chunk.subarray(1)));
        state.pumping = true;
        pump(session);
      } else if (state.first && chunk[0] === 71) {
        session.write("ok");
        session.end();
      } else if (chunk.at(-1) === 33) session.write("done");
      state.first = false;
    },
    drain(session) {
      if (session.state.pumping) pump(session);
    },
  }),
});
`;

interface Server {
  readonly port: number;
  readonly pid: number;
}

function certificate(home: string): { readonly cert: string; readonly key: string } {
  const [cert, key] = [join(home, "cert.pem"), join(home, "key.pem")];
  execFileSync("openssl", [
    ...`req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -keyout ${key} -out ${cert} -subj /CN=localhost`
      .split(" "),
    ...["-addext", "subjectAltName=DNS:localhost"],
  ], { stdio: "ignore" });
  return { cert, key };
}

async function serve(runtime: Runtime, words: readonly string[]): Promise<Server> {
  const child = start("server", [runtime.program, ...runtime.flags, ...words]);
  child.stderr!.pipe(process.stderr);
  const { promise, resolve } = Promise.withResolvers<number>();
  let port = 0;
  createInterface({ input: child.stdout! }).on("line", (line) => {
    const told = JSON.parse(line);
    if (told.event === "listening") port = Number(/\d+$/.exec(told.endpoint)![0]);
    if (told.event === "ready") resolve(told.port ?? port);
  });
  return { port: await promise, pid: child.pid! };
}

/** CPU time of all threads, in µs. */
function cpuOf(pid: number): number {
  return readdirSync(`/proc/${pid}/task`).reduce((sum, task) => {
    const [ran = "0"] = readFileSync(`/proc/${pid}/task/${task}/schedstat`, "latin1").split(" ");
    return sum + Number(ran) / 1000;
  }, 0);
}

function memoryOf(pid: number): number {
  const status = readFileSync(`/proc/${pid}/status`, "latin1");
  return Number(/^VmRSS:\s+(\d+)/m.exec(status)![1]);
}

function open(port: number, more: ConnectionOptions = {}): Promise<TLSSocket> {
  const socket = connect({ port, host: "127.0.0.1", rejectUnauthorized: false, ...more });
  return new Promise((resolve, reject) => {
    socket.once("secureConnect", () => resolve(socket)).once("error", reject);
  });
}

const closeOf = (socket: TLSSocket): Promise<void> =>
  new Promise((resolve) => socket.once("close", () => resolve()));

async function down({ port }: Server, mebibytes: number): Promise<void> {
  const socket = await open(port);
  let got = 0;
  socket.on("data", (chunk) => got += chunk.length);
  socket.write(`D${mebibytes << 20}`);
  await closeOf(socket);
  if (got !== mebibytes << 20) throw new Error(`${got} bytes have come`);
}

async function up({ port }: Server, mebibytes: number): Promise<void> {
  const socket = await open(port);
  const block = new Uint8Array(65536).fill(7);
  for (let left = mebibytes * 16; left > 1; left--) {
    if (!socket.write(block)) await new Promise((drain) => socket.once("drain", drain));
  }
  const last = block.slice();
  last[last.length - 1] = 33;
  socket.write(last);
  await new Promise((done) => socket.once("data", done));
  socket.destroy();
  await closeOf(socket);
}

async function handshakes(
  { port }: Server,
  count: number,
  resume: boolean,
): Promise<void> {
  let left = count;
  let session: Uint8Array | undefined;
  const visit = async (): Promise<void> => {
    const socket = connect({
      ...{ port, host: "127.0.0.1", rejectUnauthorized: false },
      ...(resume && session !== undefined && { session: session as Buffer }),
    });
    socket.on("session", (made) => session = made);
    socket.on("error", (error) => console.error(error.message));
    socket.once("secureConnect", () => socket.write("G"));
    socket.resume();
    await closeOf(socket);
  };
  await visit();
  await Promise.all(Array.from({ length: 8 }, async () => {
    while (left-- > 0) await visit();
  }));
}

async function idle(server: Server, count: number): Promise<number> {
  const before = memoryOf(server.pid);
  const sockets = await Promise.all(Array.from({ length: count }, () => open(server.port)));
  await new Promise((resolve) => setTimeout(resolve, 500));
  const grown = memoryOf(server.pid) - before;
  for (const socket of sockets) socket.destroy();
  await Promise.all(sockets.map(closeOf));
  return grown / count;
}

/** What a lap has used of the server's CPU, in µs. */
async function used(server: Server, lap: () => Promise<void>): Promise<number> {
  const before = cpuOf(server.pid);
  await lap();
  return cpuOf(server.pid) - before;
}

const median = (numbers: readonly number[]): number =>
  numbers.toSorted((a, b) => a - b)[numbers.length >> 1]!;

const { values } = parseArgs({
  options: {
    runtime: { type: "string", multiple: true },
    laps: { type: "string", default: "3" },
    mebibytes: { type: "string", default: "128" },
    handshakes: { type: "string", default: "300" },
  },
});
const laps = Number(values.laps);
const mebibytes = Number(values.mebibytes);
const shakes = Number(values.handshakes);

for (const name of values.runtime ?? ["node", "bun", "deno"]) {
  const runtime = find(name as RuntimeName);
  // Its certificate's folder is watched, and that around it: others have business in that for temporary files.
  const home = join(folder(), "service");
  mkdirSync(home);
  const { cert, key } = certificate(home);
  writeFileSync(join(home, "bulk.ts"), PLUGIN);
  const bulk = {
    plugin: "./bulk.ts",
    listen: "tls://127.0.0.1:0",
    tls: { cert, key },
    log: { type: "json", level: "info", events: ["listening", "ready"] },
  };
  writeFileSync(join(home, "portico.json"), JSON.stringify({ control: false, services: { bulk } }));
  const bare = await serve(runtime, [join(ROOT, "bench/bare/tls.ts"), cert, key]);
  const ours = await serve(runtime, [join(ROOT, "runtime/main.ts"), "run", home]);
  const kinds: readonly [string, number, (server: Server) => Promise<void>][] = [
    ["down, CPU ms/MiB", mebibytes * 1000, (server) => down(server, mebibytes)],
    ["up, CPU ms/MiB", mebibytes * 1000, (server) => up(server, mebibytes)],
    ["full handshake, CPU µs", shakes, (server) => handshakes(server, shakes, false)],
    ["resumed handshake, CPU µs", shakes, (server) => handshakes(server, shakes, true)],
  ];
  console.log(`${name} ${runtime.version}`);
  for (const [what, unit, lap] of kinds) {
    for (const server of [bare, ours]) await lap(server);
    const figures: number[][] = [[], []];
    const rates: number[][] = [[], []];
    for (let i = 0; i < laps; i++) {
      for (const [at, server] of (i % 2 === 0 ? [bare, ours] : [ours, bare]).entries()) {
        const side = i % 2 === 0 ? at : 1 - at;
        const began = performance.now();
        figures[side]!.push(await used(server, () => lap(server)) / unit);
        rates[side]!.push(performance.now() - began);
      }
    }
    const [theirs, mine] = figures as [number[], number[]];
    const ratio = median(mine.map((figure, i) => figure / theirs[i]!));
    const rate = unit === shakes
      ? `, ${rates.map((all) => Math.round(shakes * 1000 / median(all))).join(" and ")} a second`
      : "";
    console.log(
      `  ${what}: bare ${median(theirs).toFixed(3)}, Portico ${median(mine).toFixed(3)}, ratio ${
        ratio.toFixed(3)
      }${rate}`,
    );
  }
  const [theirs, mine] = [await idle(bare, 300), await idle(ours, 300)];
  console.log(`  idle session, KiB: bare ${theirs.toFixed(1)}, Portico ${mine.toFixed(1)}`);
  clean();
}
process.exit(0);
