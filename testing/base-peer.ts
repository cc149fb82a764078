import type { Address } from "../runtime/core/endpoint.ts";
import type { LogRecord } from "../runtime/core/record.ts";
import type { Activity } from "./activity.ts";
import { type CallSite, callSite, cameFrom } from "./call-site.ts";
import { type Data, show, textOf } from "./bytes.ts";
import type { Closed, Peer, RequestSettings } from "./contract.ts";
import { describe, type Expected, failed, wrong } from "./expectation.ts";
import type { SessionRecords } from "./records.ts";

/** What peers have of the service that they talk to. */
export interface PeerInput {
  readonly address: Address;
  readonly activity: Activity;
  readonly records: SessionRecords;
}

/** What peers of all kinds have in common; what a kind does not have says so. */
export abstract class BasePeer implements Peer {
  readonly address: Address;
  protected readonly activity: Activity;
  protected readonly sessions: SessionRecords;
  #site: CallSite = {};

  constructor({ address, activity, records }: PeerInput) {
    this.address = address;
    this.activity = activity;
    this.sessions = records;
  }

  abstract readonly kind: Peer["kind"];
  abstract readonly received: Uint8Array;

  get session(): number | undefined {
    return this.records.findLast(({ session }) => session !== undefined)?.session;
  }

  get records(): readonly LogRecord[] {
    return this.sessions.from(this.address);
  }

  get text(): string {
    return new TextDecoder().decode(this.received);
  }

  get backlog(): number {
    return 0;
  }

  get over(): boolean {
    return false;
  }

  send(_data: Data): void {
    throw this.#lacks("send");
  }

  expect(data: Data): Promise<void>;
  expect(pattern: RegExp): Promise<RegExpExecArray>;
  expect(bytes: number): Promise<Uint8Array>;
  expect(_expected: Expected): Promise<unknown> {
    return Promise.reject(this.#lacks("expect"));
  }

  expectNothing(): Promise<void> {
    return Promise.reject(this.#lacks("expectNothing"));
  }

  read(): Promise<Uint8Array | undefined> {
    return Promise.reject(this.#lacks("read"));
  }

  expectEnd(): Promise<void> {
    return Promise.reject(this.#lacks("expectEnd"));
  }

  rest(): Promise<Uint8Array> {
    return Promise.reject(this.#lacks("rest"));
  }

  fetch(_path: string, _init?: RequestSettings): Promise<Response> {
    return Promise.reject(this.#lacks("fetch"));
  }

  end(): void {}

  reset(): void {
    throw this.#lacks("reset");
  }

  stopReading(): void {
    throw this.#lacks("stopReading");
  }

  startReading(): void {}

  get closed(): Promise<Closed> {
    return quiet(this.#answered());
  }

  /** Without a connection a session is over when it is answered. */
  async #answered(): Promise<Closed> {
    for (;;) {
      await this.activity.rest();
      const count = (event: string) => this.records.filter((each) => each.event === event).length;
      const record = this.records.findLast(({ event }) => event === "close" || event === "refuse");
      if (record !== undefined && count("open") === count("close")) return closedBy(record, "end");
      if (!await this.activity.next()) throw this.notOver([]);
    }
  }

  /** The test has called this, and waits for it. */
  protected begins(called: (...given: never[]) => unknown): void {
    this.#site = callSite(called);
  }

  /** To be thrown: whatever is wrong besides would only hide it. */
  #told<Failure extends Error>(failure: Failure): Failure {
    this.activity.failed = true;
    return cameFrom(failure, this.#site);
  }

  protected get who(): string {
    return `the peer ${this.address}`;
  }

  protected told(): string[] {
    return this.sessions.told(this.records);
  }

  protected failed(
    expected: Expected,
    received: Uint8Array,
    then: string,
    what: string = describe(expected),
  ): Error {
    return this.#told(
      failed({ who: this.who, expected, what, received, then, records: this.told() }),
    );
  }

  /** Why what came should not have. */
  protected unexpected(more: Uint8Array): Error {
    const lines = [`${this.who} received what was not expected`, `received  ${show(more)}`];
    return this.#told(wrong([...lines, ...this.told()], textOf(more) ?? more, ""));
  }

  protected notOver(why: readonly string[]): Error {
    return this.#told(wrong([`the session of ${this.who} is not over`, ...why, ...this.told()]));
  }

  #lacks(method: string): Error {
    return new Error(`${method}: the peer ${this.address} is one of ${this.kind}, which has none`);
  }
}

/** A promise that may be asked for, and awaited later or never. */
export function quiet<Value>(promise: Promise<Value>): Promise<Value> {
  promise.catch(() => {});
  return promise;
}

/** How a session has ended, by its last record. */
export function closedBy(record: LogRecord, how: Closed["how"]): Closed {
  const reason = record.event === "refuse" ? "refused" : record["reason"] as string | undefined;
  return { how, reason, record };
}
