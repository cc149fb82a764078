import type { MemoryPeer } from "../adapters/memory/mod.ts";
import type { LogRecord } from "../runtime/core/record.ts";
import { BasePeer, closedBy, type PeerInput, quiet } from "./base-peer.ts";
import { concat, type Data, toBytes } from "./bytes.ts";
import type { Closed } from "./contract.ts";
import { type Expected, judge } from "./expectation.ts";
import type { Outbox, Wire } from "./outbox.ts";

/** What a connection has beside what all peers have. */
export interface ConnectionInput extends PeerInput {
  readonly session: number | undefined;
  /** It does not close when it reads the end of the other side. */
  readonly halfOpen: boolean;
  readonly outbox: (wire: Wire) => Outbox;
}

/** A connection to the service under test, as a program at its other end would have it. */
export class StreamPeer extends BasePeer {
  readonly kind = "stream";
  readonly #session: number | undefined;
  readonly #peer: MemoryPeer;
  readonly #halfOpen: boolean;
  readonly #outbox: Outbox;
  #received: Uint8Array = new Uint8Array();
  /** So many bytes were expected already. */
  #taken = 0;
  #ended = false;
  #reset = false;

  constructor(input: ConnectionInput, peer: MemoryPeer) {
    super(input);
    this.#session = input.session;
    this.#peer = peer;
    this.#halfOpen = input.halfOpen;
    this.#outbox = input.outbox(peer);
    peer.changed = () => this.#changed();
    this.#changed();
  }

  override get session(): number | undefined {
    return this.#session;
  }

  #changed(): void {
    const { received, over, reading } = this.#peer;
    if (received.length > 0) this.#received = concat([this.#received, ...received.splice(0)]);
    // Most programs close when they read the end.
    if (over && reading && !this.#halfOpen && !this.#peer.closed) this.end();
    this.activity.note();
  }

  override get records(): readonly LogRecord[] {
    return this.sessions.all.filter(({ session }) => session === this.#session);
  }

  get received(): Uint8Array {
    return this.#received.slice();
  }

  override get backlog(): number {
    return this.#peer.unread.reduce((sum, { length }) => sum + length, 0);
  }

  override send(data: Data): void {
    if (this.#ended) throw new Error(`${this.who} has ended its side: it can send no more`);
    this.#outbox.write(toBytes(data));
  }

  override end(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#outbox.end();
  }

  override reset(): void {
    this.#ended = this.#reset = true;
    this.#outbox.reset();
  }

  override stopReading(): void {
    this.#peer.read(false);
  }

  override startReading(): void {
    this.#peer.read(true);
    this.#changed();
  }

  override expect(data: Data): Promise<void>;
  override expect(pattern: RegExp): Promise<RegExpExecArray>;
  override expect(bytes: number): Promise<Uint8Array>;
  override async expect(expected: Expected): Promise<unknown> {
    this.begins(this.expect);
    this.#outbox.flush();
    // A pattern may match more when more comes: all of it has its chance.
    if (expected instanceof RegExp) await this.activity.rest();
    for (;;) {
      const over = this.#peer.over;
      const verdict = judge(expected, this.#unread, over && typeof expected !== "number");
      if (typeof verdict === "object") {
        this.#taken += verdict.taken;
        return verdict.value;
      }
      if (verdict === "never" || over) {
        throw this.failed(expected, this.#unread, over ? this.#then : "");
      }
      if (!await this.activity.next()) {
        throw this.failed(expected, this.#unread, this.#silence);
      }
    }
  }

  override async expectNothing(): Promise<void> {
    this.begins(this.expectNothing);
    this.#outbox.flush();
    await this.activity.rest();
    if (this.#unread.length > 0) throw this.unexpected(this.#unread);
  }

  override async read(): Promise<Uint8Array | undefined> {
    this.begins(this.read);
    this.#outbox.flush();
    await this.activity.rest();
    const more = this.#unread.slice();
    this.#taken += more.length;
    return more.length > 0 ? more : undefined;
  }

  override async expectEnd(): Promise<void> {
    const more = await this.rest();
    this.begins(this.expectEnd);
    if (more.length === 0) return;
    this.#taken -= more.length;
    throw this.#noEnd(this.#then);
  }

  override async rest(): Promise<Uint8Array> {
    this.begins(this.rest);
    this.#outbox.flush();
    while (!this.over) if (!await this.activity.next()) throw this.#noEnd(this.#silence);
    if (this.#peer.wasReset) throw this.#noEnd(this.#then);
    const more = this.#unread.slice();
    this.#taken = this.#received.length;
    return more;
  }

  get #silence(): string {
    return `nothing else within ${this.activity.patience} ms`;
  }

  override get closed(): Promise<Closed> {
    this.#outbox.flush();
    return quiet(this.#close());
  }

  async #close(): Promise<Closed> {
    for (;;) {
      const record = this.records.find(({ event }) => event === "close" || event === "refuse");
      if (this.#peer.closed && record !== undefined) {
        return closedBy(record, this.#peer.wasReset || this.#reset ? "reset" : "end");
      }
      if (!await this.activity.next()) throw this.notOver([this.#whyOpen()]);
    }
  }

  #whyOpen(): string {
    if (this.#peer.closed) return "its connection is closed, and its hooks have not come back";
    if (this.over) return "the service has ended its side, and this peer has not: end()";
    return this.#ended
      ? "this peer has ended its side, and the service has not"
      : "neither side has ended";
  }

  /** The connection is let go, whatever is left: the test is over. */
  drop(): void {
    if (this.#peer.closed) return;
    this.#peer.read(true);
    this.end();
  }

  override get over(): boolean {
    return this.#peer.over && this.backlog === 0;
  }

  get isClosed(): boolean {
    return this.#peer.closed;
  }

  get #then(): string {
    return this.#peer.wasReset ? "then a reset" : "then the end";
  }

  get #unread(): Uint8Array {
    return this.#received.subarray(this.#taken);
  }

  /** The end of what came is no end. */
  #noEnd(then: string): Error {
    return this.failed(new Uint8Array(), this.#unread, then, "the end, and nothing else");
  }
}
