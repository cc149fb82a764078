/** Peers of the memory adapter. */
import type { MemoryDatagrams, MemoryPeer } from "../../adapters/memory/mod.ts";
import { MemoryAdapter } from "../../adapters/memory/mod.ts";
import type { NamedEndpoint, Support } from "../../runtime/core/contract.ts";
import { Address } from "../../runtime/core/endpoint.ts";
import { turns } from "../support/until.ts";
import type {
  ConnectOptions,
  DatagramPeer,
  DatagramTransport,
  Harness,
  StreamPeer,
  Tested,
} from "./harness.ts";
import { concat, encode } from "./harness.ts";

/** It remembers its datagram sockets, which hold what was sent. */
class Adapter extends MemoryAdapter {
  readonly sockets: MemoryDatagrams[] = [];

  override async bind(
    ...[endpoint, table]: Parameters<MemoryAdapter["bind"]>
  ): Promise<MemoryDatagrams> {
    const socket = await super.bind(endpoint, table);
    this.sockets.push(socket);
    return socket;
  }
}

const layers: Support = "Bun" in globalThis
  ? { reason: "over a stream, Bun's node:tls knows no names and loses what follows a half-close" }
  : true;

export class MemoryHarness implements Harness {
  readonly adapter: Adapter = new Adapter();

  constructor() {
    this.adapter.speaksTls = true;
  }

  readonly kernel = { reason: "the memory adapter has no kernel below it" };
  readonly halfClose = true;
  readonly tlsLayers = layers;
  #port = 40000;

  place(transport: Tested): NamedEndpoint {
    return transport === "tcp" || transport === "udp"
      ? { transport, host: "127.0.0.1", port: 0 }
      : { transport, path: `/memory/${this.#port++}.sock` };
  }

  connect(to: Address, { reading = true }: ConnectOptions = {}): Promise<StreamPeer> {
    const from = to.transport === "unix"
      ? new Address("unix", "", 0, "")
      : new Address("tcp", "127.0.0.1", this.#port++, "");
    return Promise.resolve(new Peer(this.adapter.peer(to, from), from, to, reading));
  }

  join(transport: DatagramTransport): Promise<DatagramPeer> {
    const number = this.#port++;
    const address = transport === "udp"
      ? new Address("udp", "127.0.0.1", number, "")
      : new Address("unixgram", "", 0, `/memory/peer-${number}`);
    return Promise.resolve(new Correspondent(this.adapter, address));
  }

  sendUnnamed(bytes: string, to: Address): Promise<void> {
    this.adapter.socket(to).deliver(encode(bytes), new Address("unixgram", "", 0, ""));
    return Promise.resolve();
  }

  correspond(): Promise<void> {
    return Promise.reject(new Error(this.kernel.reason));
  }

  deafPeer(): Promise<Address> {
    return Promise.reject(new Error(this.kernel.reason));
  }

  settle(): Promise<void> {
    return turns();
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}

class Peer implements StreamPeer {
  readonly #peer: MemoryPeer;
  readonly local: string;
  readonly remote: string;
  readonly unsent = 0;

  constructor(peer: MemoryPeer, local: Address, remote: Address, reading: boolean) {
    this.#peer = peer;
    this.local = String(local);
    this.remote = String(remote);
    if (!reading) peer.read(false);
  }

  get received(): number {
    return this.#peer.received.reduce((sum, { length }) => sum + length, 0);
  }

  get ended(): boolean {
    return this.#peer.over && !this.#peer.wasReset;
  }

  get gone(): boolean {
    return this.#peer.over;
  }

  get wasReset(): boolean {
    return this.#peer.wasReset;
  }

  bytes(): Uint8Array {
    return concat(this.#peer.received);
  }

  write(bytes: Uint8Array | string): void {
    this.#peer.write(bytes);
  }

  end(): void {
    this.#peer.end();
  }

  reset(): void {
    this.#peer.reset();
  }

  leave(): void {
    this.#peer.reset();
  }

  read(): void {
    this.#peer.read(true);
  }
}

class Correspondent implements DatagramPeer {
  readonly #adapter: Adapter;
  readonly address: Address;

  constructor(adapter: Adapter, address: Address) {
    this.#adapter = adapter;
    this.address = address;
  }

  get received(): readonly Uint8Array[] {
    return this.#adapter.sockets.flatMap(({ sent }) => sent.get(String(this.address)) ?? []);
  }

  send(bytes: Uint8Array | string, to: Address): void {
    const datagram = typeof bytes === "string" ? encode(bytes) : bytes;
    this.#adapter.socket(to).deliver(datagram, this.address);
  }
}
