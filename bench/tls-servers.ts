/** The servers of the bench of TLS, and how its client connects to them. */
import { execFileSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { type AddressInfo, createServer } from "node:net";
import { join } from "node:path";
import process from "node:process";
import { createInterface } from "node:readline";
import { connect, type ConnectionOptions, type TLSSocket } from "node:tls";
import { start } from "./processes.ts";
import type { Runtime } from "./runtimes.ts";

export interface Server {
  readonly name: string;
  readonly port: number;
  readonly pid: number;
  /** The server in clear that it stands in front of. */
  readonly behind?: Server;
}

/** OpenSSL 3.0 has no later group, Node's default list is headed by a hybrid one. */
export const OFFER: ConnectionOptions = {
  host: "127.0.0.1",
  rejectUnauthorized: false,
  minVersion: "TLSv1.3",
  ciphers: "TLS_AES_128_GCM_SHA256",
  ecdhCurve: "X25519",
};

export function certificate(home: string): { readonly cert: string; readonly key: string } {
  const [cert, key] = [join(home, "cert.pem"), join(home, "key.pem")];
  execFileSync("openssl", [
    ...`req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -keyout ${key} -out ${cert} -subj /CN=localhost`
      .split(" "),
    ...["-addext", "subjectAltName=DNS:localhost"],
  ], { stdio: "ignore" });
  return { cert, key };
}

export async function serve(
  name: string,
  runtime: Runtime,
  words: readonly string[],
): Promise<Server> {
  const child = start("server", [runtime.program, ...runtime.flags, ...words]);
  child.stderr!.pipe(process.stderr);
  const { promise, resolve } = Promise.withResolvers<number>();
  let port = 0;
  createInterface({ input: child.stdout! }).on("line", (line) => {
    const told = JSON.parse(line);
    if (told.event === "listening") port = Number(/\d+$/.exec(told.endpoint)![0]);
    if (told.event === "ready") resolve(told.port ?? port);
  });
  return { name, port: await promise, pid: child.pid! };
}

const STREAM_MODULE = "/usr/lib/nginx/modules/ngx_stream_module.so";

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** nginx of one process, in front of `behind`; undefined where it is missing. */
export async function serveNginx(
  home: string,
  { cert, key }: ReturnType<typeof certificate>,
  behind: () => Promise<Server>,
): Promise<Server | undefined> {
  if (!existsSync(STREAM_MODULE)) {
    console.log(`nginx is not measured: there is no ${STREAM_MODULE}`);
    return undefined;
  }
  const [port, backend] = [await freePort(), await behind()];
  writeFileSync(
    join(home, "nginx.conf"),
    `load_module ${STREAM_MODULE};
daemon off;
master_process off;
pid ${home}/nginx.pid;
events { worker_connections 4096; }
stream {
  server {
    listen 127.0.0.1:${port} ssl backlog=511 so_keepalive=off;
    ssl_certificate ${cert};
    ssl_certificate_key ${key};
    ssl_protocols TLSv1.2 TLSv1.3;
    ssl_session_tickets on;
    ssl_session_cache none;
    proxy_pass 127.0.0.1:${backend.port};
  }
}
`,
  );
  const child = start("server", [
    "nginx",
    "-p",
    home,
    "-c",
    join(home, "nginx.conf"),
    "-e",
    "stderr",
  ]);
  child.stderr!.pipe(process.stderr);
  const nginx = { name: "nginx", port, pid: child.pid!, behind: backend };
  for (let left = 50; child.exitCode === null && left > 0; left--) {
    try {
      (await open(port)).destroy();
      return nginx;
    } catch {
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }
  throw new Error("nginx does not come up");
}

/** CPU time of all threads, in µs. */
export function cpuOf(pid: number): number {
  return readdirSync(`/proc/${pid}/task`).reduce((sum, task) => {
    const [ran = "0"] = readFileSync(`/proc/${pid}/task/${task}/schedstat`, "latin1").split(" ");
    return sum + Number(ran) / 1000;
  }, 0);
}

export function memoryOf(pid: number): number {
  const status = readFileSync(`/proc/${pid}/status`, "latin1");
  return Number(/^VmRSS:\s+(\d+)/m.exec(status)![1]);
}

export function open(port: number): Promise<TLSSocket> {
  const socket = connect({ ...OFFER, port });
  return new Promise((resolve, reject) => {
    socket.once("secureConnect", () => resolve(socket)).once("error", reject);
  });
}
