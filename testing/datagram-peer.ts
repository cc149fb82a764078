import type { MemoryDatagrams } from "../adapters/memory/mod.ts";
import type { Address } from "../runtime/core/endpoint.ts";
import type { LogRecord } from "../runtime/core/record.ts";
import type { Activity } from "./activity.ts";
import { concat, type Data, show, textOf, toBytes } from "./bytes.ts";
import type { Closed, Peer } from "./contract.ts";
import { describe, type Expected, failed, judge, wrong } from "./expectation.ts";
import type { SessionRecords } from "./records.ts";

/** A datagram socket of somebody who talks to the service under test. */
export class DatagramPeer implements Peer {
  readonly kind = "datagram";
  readonly address: Address;
  readonly #socket: MemoryDatagrams;
  readonly #activity: Activity;
  readonly #records: SessionRecords;
  /** So many answers were expected already. */
  #taken = 0;

  constructor(
    socket: MemoryDatagrams,
    address: Address,
    activity: Activity,
    records: SessionRecords,
  ) {
    this.#socket = socket;
    this.address = address;
    this.#activity = activity;
    this.#records = records;
    socket.changed = activity.note;
  }

  get #answers(): readonly Uint8Array[] {
    return this.#socket.sent.get(String(this.address)) ?? [];
  }

  get session(): number | undefined {
    return this.records.findLast(({ session }) => session !== undefined)?.session;
  }

  get records(): readonly LogRecord[] {
    return this.#records.from(this.address);
  }

  get received(): Uint8Array {
    return concat(this.#answers);
  }

  get text(): string {
    return new TextDecoder().decode(this.received);
  }

  readonly backlog = 0;
  readonly over = false;

  send(data: Data): void {
    this.#socket.deliver(toBytes(data), this.address);
  }

  expect(data: Data): Promise<void>;
  expect(pattern: RegExp): Promise<RegExpExecArray>;
  expect(bytes: number): Promise<Uint8Array>;
  async expect(expected: Expected): Promise<unknown> {
    for (;;) {
      const answer = this.#answers[this.#taken];
      if (answer !== undefined) {
        const verdict = judge(expected, answer, true);
        const whole = expected instanceof RegExp ||
          (typeof verdict === "object" && verdict.taken === answer.length);
        if (typeof verdict !== "object" || !whole) {
          throw this.#failed(expected, answer, "as one datagram");
        }
        this.#taken++;
        return verdict.value;
      }
      if (!await this.#activity.next()) {
        const then = `nothing within ${this.#activity.patience} ms`;
        throw this.#failed(expected, new Uint8Array(), then);
      }
    }
  }

  async expectNothing(): Promise<void> {
    await this.#activity.rest();
    const more = this.#answers[this.#taken];
    if (more === undefined) return;
    const received = `received  ${show(more)}`;
    throw wrong(
      [`${this.#who} received what was not expected`, received, ...this.#told()],
      textOf(more) ?? more,
      "",
    );
  }

  expectEnd(): Promise<void> {
    return Promise.reject(noStream("expectEnd"));
  }

  rest(): Promise<Uint8Array> {
    return Promise.reject(noStream("rest"));
  }

  end(): void {}

  reset(): void {
    throw noStream("reset");
  }

  stopReading(): void {
    throw noStream("stopReading");
  }

  startReading(): void {}

  get closed(): Promise<Closed> {
    return this.#close();
  }

  async #close(): Promise<Closed> {
    for (;;) {
      await this.#activity.rest();
      const record = this.records.findLast(({ event }) => event === "close" || event === "refuse");
      const open = this.records.filter(({ event }) => event === "open").length -
        this.records.filter(({ event }) => event === "close").length;
      if (record !== undefined && open === 0) {
        const reason = record.event === "refuse"
          ? "refused"
          : record["reason"] as string | undefined;
        return { how: "end", reason, record };
      }
      if (await this.#activity.next()) continue;
      throw wrong([`the session of ${this.#who} is not over`, ...this.#told()]);
    }
  }

  get #who(): string {
    return `the peer ${this.address}`;
  }

  #told(): string[] {
    return this.#records.told((record) => record["remote"] === String(this.address));
  }

  #failed(expected: Expected, received: Uint8Array, then: string): Error {
    const what = describe(expected);
    return failed({ who: this.#who, expected, what, received, then, records: this.#told() });
  }
}

function noStream(method: string): Error {
  return new Error(`${method} is for streams: a datagram has no connection`);
}
