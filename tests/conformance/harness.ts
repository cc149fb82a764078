/** What the suite needs of the world around an adapter: peers, places to listen, and to be tidied up. */
import type { Adapter, NamedEndpoint, Support } from "../../runtime/core/contract.ts";
import type { Address } from "../../runtime/core/endpoint.ts";

/** The transports that the suite knows. */
export type StreamTransport = "tcp" | "unix";
export type DatagramTransport = "udp" | "unixgram";
export type Tested = StreamTransport | DatagramTransport;

/** How a peer connects. */
export interface ConnectOptions {
  /** The address to go to, where the server listens on all of them. */
  readonly host?: string;
  /** False: it leaves what it is sent to the kernels, until {@link StreamPeer.read}. */
  readonly reading?: boolean;
}

/** The client's end of a stream. */
export interface StreamPeer {
  /** Its own address, as the server should see it. */
  readonly local: string;
  /** The server's, as it sees it. */
  readonly remote: string;
  /** How many bytes it has received. */
  readonly received: number;
  /** The server will send no more, in order. */
  readonly ended: boolean;
  /** The connection is gone, in whatever way. */
  readonly gone: boolean;
  /** The server reset it. */
  readonly wasReset: boolean;
  /** Bytes that it was told to send and that are still with it. */
  readonly unsent: number;
  bytes(): Uint8Array;
  write(bytes: Uint8Array | string): void;
  end(): void;
  /** Resets the connection. */
  reset(): void;
  /** Goes away at once, with what it has not read. */
  leave(): void;
  read(): void;
}

/** Somebody who sends and receives datagrams. */
export interface DatagramPeer {
  readonly address: Address;
  readonly received: readonly Uint8Array[];
  send(bytes: Uint8Array | string, to: Address): void;
}

/** The world around an adapter, for one case. */
export interface Harness {
  readonly adapter: Adapter;
  /** Whether there is a kernel below, with families of addresses, files and descriptors. */
  readonly kernel: Support;
  /** Whether what the adapter is built on keeps its word after a peer's half-close. */
  readonly halfClose: Support;
  /** Whether what it is built on does all of TLS over a stream of JavaScript, where it has no socket to go over. */
  readonly tlsLayers: Support;
  /** A place that is free: port 0 of 127.0.0.1, or a path in a folder of its own. */
  place(transport: Tested): NamedEndpoint;
  connect(to: Address, options?: ConnectOptions): Promise<StreamPeer>;
  /** @param from the host of an Internet peer. */
  join(transport: DatagramTransport, from?: string): Promise<DatagramPeer>;
  /** Sends one Unix datagram from a socket without a name. */
  sendUnnamed(bytes: string, to: Address): Promise<void>;
  /**
   * Sends `datagram 0`, `datagram 1` … from another process, waiting where the kernel says so, and
   * for the answers to each `window` of them. Rejects unless every one comes back as it was, in order.
   */
  correspond(to: Address, count: number, window: number): Promise<void>;
  /** A bound Unix datagram socket of another process, which never reads. */
  deafPeer(): Promise<Address>;
  /** Resolves when everything that is under way has arrived. */
  settle(): Promise<void>;
  /** Closes the peers and removes the folder. */
  close(): Promise<void>;
}

/** Bytes that show where they belong: no two positions near each other look alike. */
export function pattern(length: number, seed = 1): Uint8Array {
  const words = new Uint32Array(Math.ceil(length / 4));
  for (let i = 0, word = seed; i < words.length; i++) {
    word = Math.imul(word, 1664525) + 1013904223;
    words[i] = word;
  }
  return new Uint8Array(words.buffer, 0, length);
}

/** One array of many. */
export function concat(chunks: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(chunks.reduce((sum, chunk) => sum + chunk.length, 0));
  let at = 0;
  for (const chunk of chunks) {
    whole.set(chunk, at);
    at += chunk.length;
  }
  return whole;
}

/** @throws Error that says where they differ, instead of printing megabytes. */
export function assertBytes(actual: Uint8Array, wanted: Uint8Array, what: string): void {
  const length = Math.min(actual.length, wanted.length);
  for (let i = 0; i < length; i++) {
    if (actual[i] === wanted[i]) continue;
    throw new Error(`${what}: byte ${i} is ${actual[i]}, not ${wanted[i]}`);
  }
  if (actual.length === wanted.length) return;
  throw new Error(`${what}: ${actual.length} bytes, not ${wanted.length}`);
}

export function text(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes);
}

export function encode(value: string): Uint8Array {
  return new TextEncoder().encode(value);
}
