/** Peers with sockets, on node:net and node:dgram: as clients they behave alike on every runtime. */
import { spawn } from "node:child_process";
import type { Socket as Gram } from "node:dgram";
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import type { Socket } from "node:net";
import { connect, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type {
  Adapter,
  DatagramSocket,
  NamedEndpoint,
  Support,
} from "../../runtime/core/contract.ts";
import { Address } from "../../runtime/core/endpoint.ts";
import { within } from "../support/until.ts";
import type {
  ConnectOptions,
  DatagramPeer,
  DatagramTransport,
  Harness,
  StreamPeer,
  Tested,
} from "./harness.ts";
import { concat, encode } from "./harness.ts";

/** Sends COUNT datagrams from MINE to THEIRS, WINDOW at a time, and compares the answers. */
const CORRESPOND = `
import socket, sys
mine, theirs, count, window = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
peer = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
peer.bind(mine)
peer.settimeout(10)
for first in range(0, count, window):
    sent = [b"datagram %d" % i for i in range(first, first + window)]
    for each in sent:
        peer.sendto(each, theirs)
    for each in sent:
        assert peer.recv(100) == each
`;

/** Binds a socket, and holds it until its input ends. */
const DEAF = `
import socket, sys
peer = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
peer.bind(sys.argv[1])
print("bound", flush=True)
sys.stdin.read()
`;

export class SocketHarness implements Harness {
  readonly adapter: Adapter;
  readonly kernel = true;
  readonly tlsLayers = true;
  readonly halfClose: Support;
  #folder: string | undefined = undefined;
  #names = 0;
  readonly #endings: (() => Promise<unknown> | void)[] = [];

  constructor(adapter: Adapter, halfClose: Support) {
    this.adapter = adapter;
    this.halfClose = halfClose;
  }

  place(transport: Tested): NamedEndpoint {
    if (transport === "tcp" || transport === "udp") {
      return { transport, host: "127.0.0.1", port: 0 };
    }
    this.#folder ??= mkdtempSync(join(tmpdir(), "portico-"));
    return { transport, path: join(this.#folder, `${this.#names++}.sock`) };
  }

  async connect(to: Address, { host, reading = true }: ConnectOptions = {}): Promise<StreamPeer> {
    const where = to.transport === "unix"
      ? { path: to.path.replace(/^@/, "\0") }
      : { host: host ?? to.host, port: to.port };
    const socket = connect({ ...where, allowHalfOpen: true });
    if (!reading) socket.pause();
    const peer = new Peer(socket);
    this.#endings.push(() => peer.leave());
    try {
      await once(socket, "connect");
    } catch (error) {
      // The server was quicker to reset it than we to hear that it had been there.
      if (!peer.wasReset) throw error;
    }
    peer.start(reading);
    return peer;
  }

  async join(transport: DatagramTransport, from = "127.0.0.1"): Promise<DatagramPeer> {
    if (transport === "unixgram") {
      const received: Uint8Array[] = [];
      const table = {
        datagram: (_: DatagramSocket, bytes: Uint8Array) => void received.push(bytes.slice()),
        failure: () => {},
      };
      const socket = await this.adapter.bind(this.place(transport), table, {});
      this.#endings.push(() => socket.close());
      return {
        address: socket.address,
        received,
        send: (bytes, to) =>
          void socket.send(typeof bytes === "string" ? encode(bytes) : bytes, to),
      };
    }
    const socket = createSocket(from.includes(":") ? "udp6" : "udp4");
    this.#endings.push(() => new Promise<void>((resolve) => socket.close(() => resolve())));
    socket.bind(0, from);
    await once(socket, "listening");
    const peer = new Correspondent(socket);
    this.#endings.unshift(() => peer.sent);
    return peer;
  }

  async sendUnnamed(bytes: string, to: Address): Promise<void> {
    const child = spawn("socat", ["-u", "-", `UNIX-SENDTO:${to.path}`], {
      stdio: ["pipe", "ignore", "inherit"],
    });
    child.stdin.end(bytes);
    const [code] = await within("socat", once(child, "close"));
    if (code !== 0) throw new Error(`socat failed with ${code}`);
  }

  async correspond(to: Address, count: number, window: number): Promise<void> {
    const { path } = this.place("unixgram") as { path: string };
    const child = spawn("python3", ["-c", CORRESPOND, path, to.path, `${count}`, `${window}`], {
      stdio: ["ignore", "ignore", "inherit"],
    });
    const [code] = await within("the correspondence", once(child, "close"));
    if (code !== 0) throw new Error(`the correspondence failed with ${code}`);
  }

  async deafPeer(): Promise<Address> {
    const { path } = this.place("unixgram") as { path: string };
    const child = spawn("python3", ["-c", DEAF, path], { stdio: ["pipe", "pipe", "inherit"] });
    this.#endings.push(async () => {
      child.stdin.end();
      await once(child, "close");
    });
    await within("the deaf peer", once(child.stdout, "data"));
    return new Address("unixgram", "", 0, path);
  }

  /** What a kernel has taken before, it delivers before the round trip of a new connection. */
  async settle(): Promise<void> {
    const server = createServer((socket) => socket.pipe(socket)).listen(0, "127.0.0.1");
    await once(server, "listening");
    const { port } = server.address() as { port: number };
    const socket = connect(port, "127.0.0.1");
    for (let i = 0; i < 3; i++) {
      socket.write("x");
      await within("a round trip", once(socket, "data"));
    }
    socket.end();
    socket.resume();
    await within("the end of a round trip", once(socket, "close"));
    await new Promise<void>((resolve) => server.close(() => resolve()));
  }

  async close(): Promise<void> {
    for (const end of this.#endings) await end();
    if (this.#folder !== undefined) rmSync(this.#folder, { recursive: true, force: true });
  }
}

class Peer implements StreamPeer {
  readonly #socket: Socket;
  readonly #chunks: Uint8Array[] = [];
  received = 0;
  ended = false;
  gone = false;
  wasReset = false;
  local = "unix:";
  remote = "unix:";

  constructor(socket: Socket) {
    this.#socket = socket;
    socket.on("end", () => this.ended = true);
    socket.on("close", () => this.gone = true);
    socket.on(
      "error",
      (error: NodeJS.ErrnoException) => this.wasReset = error.code === "ECONNRESET",
    );
  }

  start(reading: boolean): void {
    const { localAddress, localPort, remoteAddress, remotePort } = this.#socket;
    if (localAddress !== undefined && remoteAddress !== undefined) {
      this.local = String(new Address("tcp", localAddress, localPort!, ""));
      this.remote = String(new Address("tcp", remoteAddress, remotePort!, ""));
    }
    this.#socket.on("data", (chunk: Uint8Array) => {
      this.#chunks.push(chunk);
      this.received += chunk.length;
    });
    if (!reading) this.#socket.pause();
  }

  get unsent(): number {
    return this.#socket.writableLength;
  }

  bytes(): Uint8Array {
    return concat(this.#chunks);
  }

  write(bytes: Uint8Array | string): void {
    this.#socket.write(bytes);
  }

  end(): void {
    this.#socket.end();
  }

  reset(): void {
    this.#socket.resetAndDestroy();
  }

  leave(): void {
    this.#socket.destroy();
  }

  read(): void {
    this.#socket.resume();
  }
}

class Correspondent implements DatagramPeer {
  readonly #socket: Gram;
  readonly address: Address;
  readonly received: Uint8Array[] = [];
  /** One after the other: what Deno is given in one turn, it sends last first. */
  sent: Promise<void> = Promise.resolve();

  constructor(socket: Gram) {
    this.#socket = socket;
    const { address, port } = socket.address();
    this.address = new Address("udp", address, port, "");
    socket.on("message", (bytes: Uint8Array) => this.received.push(bytes.slice()));
  }

  send(bytes: Uint8Array | string, to: Address): void {
    this.sent = this.sent.then(() =>
      new Promise((resolve) => this.#socket.send(bytes, to.port, to.host, () => resolve()))
    );
  }
}
