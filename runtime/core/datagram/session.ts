/** The session of one datagram: the right to answer it. What happens to it is `pipeline.ts`. */
import { type Candidate, type CutReason, type Refusal, WEIGHT } from "../admission/candidate.ts";
import type { Permit } from "../admission/permit.ts";
import type { DatagramSocket } from "../contract.ts";
import type { Address } from "../endpoint.ts";
import { PorticoError } from "../errors.ts";
import type { Service } from "../service.ts";
import { BaseSession, toBytes } from "../session.ts";
import { counted } from "../totals.ts";
import type { DatagramPipeline } from "./pipeline.ts";
import type { Work } from "./work.ts";

export class DatagramSession extends BaseSession implements Candidate {
  readonly pipeline: DatagramPipeline;
  readonly remote: Address;
  readonly local: Address;
  permit: Permit | undefined = undefined;
  over = false;
  /** `open` was recorded, where anybody wants to know: `close` has to follow. */
  served = false;
  /** While hooks have not come back. */
  work: Work | undefined = undefined;
  reason: string | undefined = undefined;
  /** The error that ended it. */
  cause: PorticoError | undefined = undefined;
  readonly #socket: DatagramSocket;
  /** While it waits: the datagram. */
  #kept: Uint8Array | undefined = undefined;
  #since = 0;

  constructor(
    pipeline: DatagramPipeline,
    socket: DatagramSocket,
    remote: Address,
    local: Address,
    length: number,
    id: number,
  ) {
    super(id);
    this.pipeline = pipeline;
    this.#socket = socket;
    this.remote = remote;
    this.local = local;
    this.bytesIn = length;
  }

  get service(): Service {
    return this.pipeline.service;
  }

  get kind(): "datagram" {
    return "datagram";
  }

  get weight(): number {
    return WEIGHT.datagram + this.bytesIn;
  }

  /** Milliseconds since it came; 0 when nobody wants to know. */
  get age(): number {
    return this.#since === 0 ? 0 : Math.floor(this.service.clock.now() - this.#since);
  }

  /** When it came, as far as that is known. */
  get since(): number {
    return this.#since || this.service.clock.now();
  }

  /** It is served now, and somebody wants to know for how long. */
  begin(): void {
    if (this.#since === 0) this.#since = this.service.clock.now();
  }

  /** Keeps the datagram until its turn comes. */
  waits(bytes: Uint8Array): void {
    this.#kept = bytes;
    this.#since = this.service.clock.now();
  }

  cut(reason: CutReason): void {
    this.pipeline.cutOne(this, reason);
  }

  admitted(): void {
    const bytes = this.#kept!;
    this.#kept = undefined;
    this.pipeline.admitted(this, bytes);
  }

  refused(why: Refusal): void {
    this.#kept = undefined;
    this.pipeline.refuse(this, why);
  }

  write(data: Uint8Array | string): boolean {
    if (this.over) return false;
    const bytes = toBytes(data);
    this.bytesOut += bytes.length;
    const { counters } = this.service;
    counters.bytesOut += counted(bytes.length);
    counters.datagramsOut++;
    return this.#way().send(bytes, this.remote, this.local);
  }

  /** Its socket, or the one in the place of that, as after a suspension: the core's slot says so. */
  #way(): DatagramSocket {
    let socket = this.#socket;
    while (socket.data !== undefined) socket = socket.data as DatagramSocket;
    return socket;
  }

  send(data: Uint8Array | string): Promise<void> {
    if (this.write(data)) return Promise.resolve();
    return Promise.reject(new PorticoError(this.over ? "SESSION_CLOSED" : "SEND_FAILED"));
  }

  /** There is no backlog. */
  writable(): Promise<void> {
    return this.over ? Promise.reject(new PorticoError("SESSION_CLOSED")) : Promise.resolve();
  }

  /** It is over when its hook has come back. */
  deadline(): void {}

  protected override get pulls(): boolean {
    return this.service.pulls && this.service.hooks.datagram === undefined;
  }

  protected get gone(): boolean {
    return this.over;
  }

  /** A datagram session ends by itself: there is nothing more to tell the peer than these bytes. */
  end(last?: Uint8Array | string): void {
    if (last !== undefined) this.write(last);
  }

  abort(): void {
    this.close("aborted");
  }

  /** Nothing is sent any more. */
  close(reason: string): void {
    if (this.over) return;
    this.over = true;
    this.reason ??= reason;
    this.signalEnd(reason);
    this.tellClosed();
  }

  /** There is nothing to pause: a datagram has come whole. */
  pause(): void {}
  resume(): void {}
  throttle(): void {}
}
