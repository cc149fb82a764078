/** Peers with sockets of their own, on node:net and node:dgram: as clients they behave alike on every runtime. */
import { createSocket, type Socket as Gram } from "node:dgram";
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import type {
  BindableEndpoint,
  DatagramSocket,
  DialedSocket,
  NamedEndpoint,
} from "../../runtime/core/contract.ts";
import { Address, parseEndpoint } from "../../runtime/core/endpoint.ts";
import { adapter, freeAddress, type PlainTransport } from "./adapter.ts";
import { Observable } from "./observable.ts";
import type { Scope } from "./scope.ts";
import { within } from "./until.ts";

/** The client's end of a stream. */
export class StreamClient extends Observable {
  readonly socket: Socket;
  /** Its own address, as records have it; without a port when it was reset too soon. */
  name = "";
  received = 0;
  /** The server will send no more, in order. */
  ended = false;
  /** The connection is gone, in whatever way. */
  gone = false;
  /** Why, when it did not end in order. */
  code: string | undefined = undefined;
  readonly #chunks: Uint8Array[] = [];
  #sent = "";

  constructor(socket: Socket) {
    super();
    this.socket = socket;
    socket.on("data", (chunk: Uint8Array) => {
      this.#chunks.push(chunk);
      this.received += chunk.length;
      this.changed();
    });
    socket.on("end", () => {
      this.ended = true;
      this.changed();
    });
    socket.on("error", (error: Error & { code?: string }) => this.code = error.code ?? error.name);
    socket.on("close", () => {
      this.gone = true;
      this.changed();
    });
  }

  protected summary(): string {
    const state = this.gone ? `gone (${this.code})` : this.ended ? "ended" : "open";
    return `${this.received} bytes, ${state}: ${this.text.slice(-200)}`;
  }

  bytes(): Uint8Array {
    const whole = new Uint8Array(this.received);
    let at = 0;
    for (const chunk of this.#chunks) {
      whole.set(chunk, at);
      at += chunk.length;
    }
    return whole;
  }

  get text(): string {
    return new TextDecoder().decode(this.bytes());
  }

  send(bytes: Uint8Array | string): void {
    this.socket.write(bytes);
  }

  /** Waits for text to be part of what it was sent. */
  async hears(text: string): Promise<void> {
    await this.when(JSON.stringify(text), () => this.text.includes(text));
  }

  /** Says something to an echo, and waits for all that it has said to have come back. */
  async echo(text: string): Promise<void> {
    this.#sent += text;
    this.send(text);
    await this.when(`the echo of ${JSON.stringify(text)}`, () => this.text === this.#sent);
  }

  /** Waits until the server has ended its side, or the connection is gone. */
  async over(limit?: number): Promise<void> {
    await this.when("the end from the server", () => this.ended || this.gone, limit);
  }

  end(): void {
    this.socket.end();
  }

  /** Resets the connection. */
  reset(): void {
    this.socket.resetAndDestroy();
  }

  leave(): void {
    this.socket.destroy();
  }
}

/** Where node:net connects to for an endpoint. */
function placeOf(endpoint: string): { host: string; port: number } | { path: string } {
  const place = parseEndpoint(endpoint);
  if ("path" in place) return { path: place.path };
  if ("port" in place) return { host: place.host, port: place.port };
  throw new Error(`nobody connects to ${endpoint}`);
}

/** Connects; the peer is gone when `scope` is over. With `reading` false it leaves what it is sent to the kernels. */
export async function dial(scope: Scope, endpoint: string, reading = true): Promise<StreamClient> {
  const socket = connect({ ...placeOf(endpoint), allowHalfOpen: true });
  scope.after(() => void socket.destroy());
  const peer = new StreamClient(socket);
  if (!reading) socket.pause();
  try {
    await within(`a connection to ${endpoint}`, once(socket, "connect"));
  } catch (error) {
    // The server was quicker to reset it than we to hear that it had been there.
    if (peer.code !== "ECONNRESET") throw error;
  }
  const { localAddress, localPort } = socket;
  peer.name = localPort === undefined ? "unix:" : `tcp://${localAddress}:${localPort}`;
  return peer;
}

/** Says one line in a session of its own, and waits for its end; the line that was answered. */
export async function askOnce(scope: Scope, endpoint: string, line: string): Promise<string> {
  const peer = await dial(scope, endpoint);
  peer.send(`${line}\n`);
  await peer.when("an answer", () => peer.text.endsWith("\n"), 20_000);
  peer.end();
  await peer.over();
  peer.leave();
  return peer.text.trim();
}

/** Tries to connect, in vain. @returns the code of the error; undefined when it was let in. */
export async function knock(endpoint: string): Promise<string | undefined> {
  const socket = connect(placeOf(endpoint));
  try {
    await within(`a refusal of ${endpoint}`, once(socket, "connect"));
    return undefined;
  } catch (error) {
    return (error as { code?: string }).code ?? String(error);
  } finally {
    socket.destroy();
  }
}

/** Sends and receives datagrams. */
export abstract class DatagramClient extends Observable {
  readonly received: Uint8Array[] = [];

  protected summary(): string {
    return `${this.received.length} datagrams: ${JSON.stringify(this.texts.slice(-30))}`;
  }

  /** What has come, as text. */
  get texts(): string[] {
    return this.received.map((bytes) => new TextDecoder().decode(bytes));
  }

  /** One has come. */
  protected take(bytes: Uint8Array): void {
    this.received.push(new Uint8Array(bytes));
    this.changed();
  }

  abstract send(bytes: Uint8Array | string, endpoint: string): void;

  /** Sends a datagram, and waits for the next one that comes. */
  async ask(bytes: Uint8Array | string, endpoint: string): Promise<Uint8Array> {
    const before = this.received.length;
    this.send(bytes, endpoint);
    await this.when(`an answer of ${endpoint}`, () => this.received.length > before);
    return this.received[before]!;
  }
}

class UdpClient extends DatagramClient {
  readonly #socket: Gram;

  constructor(socket: Gram) {
    super();
    this.#socket = socket;
    socket.on("message", (bytes: Uint8Array) => this.take(bytes));
  }

  send(bytes: Uint8Array | string, endpoint: string): void {
    const { port, host } = parseEndpoint(endpoint) as { port: number; host: string };
    this.#socket.send(bytes, port, host);
  }
}

/** A client with a UDP port of its own, which is gone when `scope` is over. */
export async function openUdp(scope: Scope): Promise<DatagramClient> {
  const socket = createSocket("udp4");
  scope.after(() => new Promise<void>((resolve) => socket.close(() => resolve())));
  const client = new UdpClient(socket);
  socket.bind(0, "127.0.0.1");
  await within("a port", once(socket, "listening"));
  return client;
}

/** A client of one endpoint, which hears nobody else: connect(2). */
export class ConnectedClient extends DatagramClient {
  #socket!: DialedSocket;

  /** It is gone when `scope` is over. */
  static async dial(scope: Scope, endpoint: string): Promise<ConnectedClient> {
    const client = new ConnectedClient();
    client.#socket = await adapter.dial(parseEndpoint(endpoint) as NamedEndpoint, {
      datagram: (_, bytes) => client.take(bytes),
      failure: (_, error) => {
        throw error;
      },
    });
    scope.after(() => client.#socket.close());
    return client;
  }

  get name(): string {
    return String(this.#socket.address);
  }

  send(bytes: Uint8Array | string): void {
    const data = typeof bytes === "string" ? new TextEncoder().encode(bytes) : bytes;
    this.#socket.send(data, this.#socket.target);
  }
}

/** Node has no Unix datagram sockets: this one is the adapter's. */
class UnixClient extends DatagramClient {
  socket!: DatagramSocket;

  override take(bytes: Uint8Array): void {
    super.take(bytes);
  }

  send(bytes: Uint8Array | string, endpoint: string): void {
    const { path } = parseEndpoint(endpoint) as { path: string };
    const data = typeof bytes === "string" ? new TextEncoder().encode(bytes) : bytes;
    this.socket.send(data, new Address("unixgram", "", 0, path));
  }
}

/** A client with a Unix datagram socket at this endpoint, which is gone when `scope` is over. */
export async function openUnix(scope: Scope, endpoint: string): Promise<DatagramClient> {
  const client = new UnixClient();
  client.socket = await adapter.bind(parseEndpoint(endpoint) as BindableEndpoint, {
    datagram: (_, bytes) => client.take(bytes),
    failure: (_, error) => {
      throw error;
    },
  }, {});
  scope.after(() => client.socket.close());
  return client;
}

/** A client of datagrams with an address of its own, which is gone when `scope` is over. */
export async function openDatagrams(
  scope: Scope,
  transport: PlainTransport,
): Promise<DatagramClient> {
  return transport === "udp"
    ? await openUdp(scope)
    : await openUnix(scope, freeAddress(scope, transport));
}
