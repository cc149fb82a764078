/**
 * What TLS costs, beside `node:tls` by itself on the same runtime, and nginx where it is there, which ends TLS in
 * front of that server in clear:
 *
 *     node bench/tls.ts [--runtime node|node24|deno|bun]... [--laps 3] [--mebibytes 128] [--handshakes 300]
 *
 * All servers run at once and are measured in turns. CPU is that of the server's process, all threads; a median of
 * the laps' ratios means more than any of the figures. The client offers one version, one suite and one group, which
 * all of them have: what each prefers by itself is not the same work. Handshakes a second are as many as this client
 * makes, which has a core of its own at best.
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { connect, type TLSSocket } from "node:tls";
import { parseArgs } from "node:util";
import type { RuntimeName } from "./case.ts";
import { clean, folder } from "./processes.ts";
import { find, ROOT } from "./runtimes.ts";
import { median } from "./statistics.ts";
import {
  certificate,
  cpuOf,
  memoryOf,
  OFFER,
  open,
  serve,
  serveNginx,
  type Server,
} from "./tls-servers.ts";

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
      ...{ ...OFFER, port },
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

/** What a lap has used of the CPU, in µs: of the server, and of what is behind it. */
async function used(
  { pid, behind }: Server,
  lap: () => Promise<void>,
): Promise<[own: number, behind: number]> {
  const all = (): number[] => [cpuOf(pid), behind === undefined ? 0 : cpuOf(behind.pid)];
  const before = all();
  await lap();
  const [own, other] = all().map((now, i) => now - before[i]!);
  return [own!, other!];
}

/** Of one server: what its laps have used, and how many there were in a second. */
class Score {
  readonly server: Server;
  readonly own: number[] = [];
  readonly behind: number[] = [];
  readonly rates: number[] = [];

  constructor(server: Server) {
    this.server = server;
  }

  async lap({ unit, count, run }: Kind): Promise<void> {
    const began = performance.now();
    const [own, behind] = await used(this.server, () => run(this.server));
    this.own.push(own / unit);
    this.behind.push(behind / unit);
    if (count !== undefined) this.rates.push(count * 1000 / (performance.now() - began));
  }

  line(base: Score): string {
    const { own, behind, rates, server } = this;
    const parts = [`${server.name} ${median(own).toFixed(3)}`];
    if (base !== this) {
      parts.push(`ratio ${median(own.map((figure, i) => figure / base.own[i]!)).toFixed(3)}`);
    }
    if (server.behind !== undefined) parts.push(`behind it ${median(behind).toFixed(3)}`);
    if (rates.length > 0) parts.push(`${Math.round(median(rates))} a second`);
    return parts.join(", ");
  }
}

/** What is measured. */
interface Kind {
  readonly what: string;
  /** How much of it there is in a lap. */
  readonly unit: number;
  /** Of handshakes: how many. */
  readonly count?: number;
  run(server: Server): Promise<void>;
}

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

const bulk = { unit: mebibytes * 1000 };
const visits = { unit: shakes, count: shakes };
const KINDS: readonly Kind[] = [
  { what: "down, CPU ms/MiB", ...bulk, run: (server) => down(server, mebibytes) },
  { what: "up, CPU ms/MiB", ...bulk, run: (server) => up(server, mebibytes) },
  { what: "full handshake, CPU µs", ...visits, run: (server) => handshakes(server, shakes, false) },
  {
    what: "resumed handshake, CPU µs",
    ...visits,
    run: (server) => handshakes(server, shakes, true),
  },
];

for (const name of values.runtime ?? ["node", "bun", "deno"]) {
  const runtime = find(name as RuntimeName);
  // Its certificate's folder is watched, and that around it: others have business in that for temporary files.
  const home = join(folder(), "service");
  mkdirSync(home);
  const files = certificate(home);
  writeFileSync(join(home, "bulk.ts"), PLUGIN);
  const service = {
    plugin: "./bulk.ts",
    listen: "tls://127.0.0.1:0",
    tls: files,
    log: { type: "json", level: "info", events: ["listening", "ready"] },
  };
  writeFileSync(
    join(home, "portico.json"),
    JSON.stringify({ control: false, services: { bulk: service } }),
  );
  const alone = join(ROOT, "bench/bare/tls.ts");
  const servers = [
    await serve("bare", runtime, [alone, files.cert, files.key]),
    await serve("Portico", runtime, [join(ROOT, "runtime/main.ts"), "run", home]),
    await serveNginx(home, files, () => serve("in clear", runtime, [alone])),
  ].filter((server) => server !== undefined);
  console.log(`${name} ${runtime.version}`);
  for (const kind of KINDS) {
    for (const server of servers) await kind.run(server);
    const scores = servers.map((server) => new Score(server));
    for (let i = 0; i < laps; i++) {
      for (const score of i % 2 === 0 ? scores : scores.toReversed()) await score.lap(kind);
    }
    console.log(`  ${kind.what}`);
    for (const score of scores) console.log(`    ${score.line(scores[0]!)}`);
  }
  console.log("  idle session, KiB");
  for (const server of servers) {
    console.log(`    ${server.name} ${(await idle(server, 300)).toFixed(1)}`);
  }
  clean();
}
process.exit(0);
