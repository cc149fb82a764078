import type { MemoryPeer } from "../adapters/memory/mod.ts";
import type { Address } from "../runtime/core/endpoint.ts";
import type { LogRecord } from "../runtime/core/record.ts";
import type { Activity } from "./activity.ts";
import { concat, type Data, show, textOf, toBytes } from "./bytes.ts";
import type { Closed, Peer } from "./contract.ts";
import { describe, type Expected, failed, judge, wrong } from "./expectation.ts";
import type { Outbox, Wire } from "./outbox.ts";
import type { SessionRecords } from "./records.ts";

/** A connection to the service under test, as a program at its other end would have it. */
export class StreamPeer implements Peer {
  readonly kind = "stream";
  readonly address: Address;
  readonly session: number | undefined;
  readonly #peer: MemoryPeer;
  readonly #activity: Activity;
  readonly #records: SessionRecords;
  readonly #halfOpen: boolean;
  #received: Uint8Array = new Uint8Array();
  /** So many bytes were expected already. */
  #taken = 0;
  #ended = false;
  readonly #outbox: Outbox;
  #closed: Promise<Closed> | undefined = undefined;

  constructor(
    peer: MemoryPeer,
    address: Address,
    session: number | undefined,
    activity: Activity,
    records: SessionRecords,
    halfOpen: boolean,
    outbox: (wire: Wire) => Outbox,
  ) {
    this.#peer = peer;
    this.address = address;
    this.session = session;
    this.#activity = activity;
    this.#records = records;
    this.#halfOpen = halfOpen;
    this.#outbox = outbox(peer);
    peer.changed = () => this.#changed();
    this.#changed();
  }

  #changed(): void {
    const { received, over, reading } = this.#peer;
    if (received.length > 0) this.#received = concat([this.#received, ...received.splice(0)]);
    // Most programs close when they read the end.
    if (over && reading && !this.#halfOpen && !this.#peer.closed) this.end();
    this.#activity.note();
  }

  get records(): readonly LogRecord[] {
    return this.#records.of((record) => record.session === this.session);
  }

  get received(): Uint8Array {
    return this.#received.slice();
  }

  get text(): string {
    return new TextDecoder().decode(this.#received);
  }

  get backlog(): number {
    return this.#peer.unread.reduce((sum, { length }) => sum + length, 0);
  }

  send(data: Data): void {
    if (this.#ended) throw new Error(`${this.#who} has ended its side: it can send no more`);
    this.#outbox.write(toBytes(data));
  }

  end(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#outbox.end();
  }

  reset(): void {
    this.#ended = true;
    this.#outbox.reset();
  }

  stopReading(): void {
    this.#peer.read(false);
  }

  startReading(): void {
    this.#peer.read(true);
    this.#changed();
  }

  expect(data: Data): Promise<void>;
  expect(pattern: RegExp): Promise<RegExpExecArray>;
  expect(bytes: number): Promise<Uint8Array>;
  async expect(expected: Expected): Promise<unknown> {
    this.#outbox.flush();
    // A pattern may match more when more comes: all of it has its chance.
    if (expected instanceof RegExp) await this.#activity.rest();
    for (;;) {
      const bytes = this.#received.subarray(this.#taken);
      const over = this.#peer.over;
      const verdict = judge(expected, bytes, over && typeof expected !== "number");
      if (typeof verdict === "object") {
        this.#taken += verdict.taken;
        return verdict.value;
      }
      if (verdict === "never" || over) throw this.#failed(expected, over ? this.#end : "");
      if (!await this.#activity.next()) {
        throw this.#failed(expected, `nothing else within ${this.#activity.patience} ms`);
      }
    }
  }

  async expectNothing(): Promise<void> {
    this.#outbox.flush();
    await this.#activity.rest();
    const more = this.#received.subarray(this.#taken);
    if (more.length > 0) {
      throw wrong(
        [`${this.#who} received what was not expected`, `received  ${show(more)}`, ...this.#told()],
        textOf(more) ?? more,
        "",
      );
    }
  }

  async expectEnd(): Promise<void> {
    await this.#untilOver("the end");
    const more = this.#received.subarray(this.#taken);
    if (more.length > 0) {
      throw this.#failed(new Uint8Array(), this.#end, "the end, and nothing else");
    }
    if (this.#peer.wasReset) throw this.#failed(new Uint8Array(), "then a reset", "the end");
  }

  async rest(): Promise<Uint8Array> {
    await this.#untilOver("the end");
    if (this.#peer.wasReset) throw this.#failed(new Uint8Array(), "then a reset", "the end");
    const more = this.#received.slice(this.#taken);
    this.#taken = this.#received.length;
    return more;
  }

  async #untilOver(what: string): Promise<void> {
    this.#outbox.flush();
    while (!this.#peer.over) {
      if (await this.#activity.next()) continue;
      throw this.#failed(
        new Uint8Array(),
        `nothing else within ${this.#activity.patience} ms`,
        what,
      );
    }
  }

  get closed(): Promise<Closed> {
    return this.#closed ??= this.#close();
  }

  async #close(): Promise<Closed> {
    for (;;) {
      const record = this.records.find(({ event }) => event === "close" || event === "refuse");
      if (this.#peer.closed && record !== undefined) {
        const how = this.#peer.wasReset ? "reset" : "end";
        const reason = record.event === "refuse"
          ? "refused"
          : record["reason"] as string | undefined;
        return { how, reason, record };
      }
      if (await this.#activity.next()) continue;
      const why = this.#peer.closed
        ? "its connection is closed, and its hooks have not come back"
        : this.#peer.over
        ? "the service has ended its side, and this peer has not"
        : `the service has not ended its side; ${
          this.#ended ? "the peer has" : "nor has the peer"
        }`;
      throw wrong([`the session of ${this.#who} is not over`, why, ...this.#told()]);
    }
  }

  /** The connection is let go, whatever is left: the test is over. */
  drop(): void {
    if (this.#peer.closed) return;
    this.#peer.read(true);
    this.end();
  }

  get over(): boolean {
    return this.#peer.over && this.backlog === 0;
  }

  get isClosed(): boolean {
    return this.#peer.closed;
  }

  get #who(): string {
    return `the peer ${this.address}`;
  }

  get #end(): string {
    return this.#peer.wasReset ? "then a reset" : "then the end";
  }

  #told(): string[] {
    return this.#records.told((record) => record.session === this.session);
  }

  #failed(expected: Expected, then: string, what = describe(expected)): Error {
    const received = this.#received.subarray(this.#taken);
    return failed({ who: this.#who, expected, what, received, then, records: this.#told() });
  }
}
