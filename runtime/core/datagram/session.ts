/** The session of one datagram: the right to answer it. What happens to it is `packets.ts`. */
import type { DatagramSocket } from "../contract.ts";
import type { Address } from "../endpoint.ts";
import { PorticoError } from "../errors.ts";
import type { Packets } from "./pipeline.ts";
import type { Service } from "../service.ts";
import { BaseSession, toBytes } from "../session.ts";
import type { Waiting } from "../admission/turns.ts";

export class DatagramSession extends BaseSession implements Waiting {
  readonly packets: Packets;
  readonly remote: Address;
  over = false;
  reason: string | undefined = undefined;
  readonly #socket: DatagramSocket;
  #held: Uint8Array | undefined = undefined;
  #since = 0;

  constructor(packets: Packets, socket: DatagramSocket, remote: Address, length: number) {
    super(packets.service.nextId());
    this.packets = packets;
    this.#socket = socket;
    this.remote = remote;
    this.bytesIn = length;
  }

  get service(): Service {
    return this.packets.service;
  }

  get kind(): "datagram" {
    return "datagram";
  }

  get local(): Address {
    return this.#socket.address;
  }

  get waits(): boolean {
    return this.#held !== undefined;
  }

  /** Milliseconds since it was held, or served; 0 when nobody wants to know. */
  get age(): number {
    return this.#since === 0 ? 0 : Math.floor(performance.now() - this.#since);
  }

  /** It is served now, and somebody wants to know for how long. */
  begin(): void {
    if (this.#since === 0) this.#since = performance.now();
  }

  /** Keeps the datagram until its turn comes. */
  hold(bytes: Uint8Array): void {
    this.#held = bytes;
    this.#since = performance.now();
  }

  serve(): void {
    const bytes = this.#held!;
    this.#held = undefined;
    this.packets.serve(this, bytes, this.age);
  }

  write(data: Uint8Array | string): boolean {
    if (this.over) return false;
    const bytes = toBytes(data);
    this.bytesOut += bytes.length;
    const { counters } = this.service;
    counters.bytesOut += bytes.length;
    counters.datagramsOut++;
    return this.#socket.send(bytes, this.remote);
  }

  send(data: Uint8Array | string): Promise<void> {
    if (this.write(data)) return Promise.resolve();
    return Promise.reject(new PorticoError(this.over ? "SESSION_CLOSED" : "SEND_FAILED"));
  }

  /** A datagram session ends by itself: there is nothing to tell the peer. */
  end(): void {}

  abort(): void {
    this.over = true;
    this.reason ??= "aborted";
    this.signalEnd("aborted");
  }

  /** There is nothing to pause: a datagram has come whole. */
  pause(): void {}
  resume(): void {}
  protected throttle(): void {}
}
