/** A connection as an adapter has it, for what stands between the adapter and the pipeline. */
import assert from "node:assert/strict";
import type { Connection, StreamTable } from "../../runtime/core/contract.ts";
import { Address } from "../../runtime/core/endpoint.ts";
import type { PorticoError } from "../../runtime/core/errors.ts";

export const BALANCER: Address = new Address("tcp", "10.0.0.1", 4000, "");
export const OURS: Address = new Address("tcp", "10.0.0.9", 80, "");

/** The adapter's side of a connection. It tells nothing while it is paused, as the contract has it. */
export class Inner implements Connection {
  data: unknown = undefined;
  readonly remote: Address;
  readonly local = OURS;
  readonly pending = 0;
  readonly sent: string[] = [];
  paused = false;
  aborted = false;
  readonly #table: StreamTable;

  constructor(table: StreamTable, remote: Address = BALANCER) {
    this.#table = table;
    this.remote = remote;
    table.open(this);
  }

  write(bytes: Uint8Array): boolean {
    this.sent.push(String(Buffer.from(bytes)));
    return true;
  }

  pause(): void {
    this.paused = true;
  }

  resume(): void {
    this.paused = false;
  }

  end(): void {}

  abort(): void {
    this.aborted = true;
  }

  /** Lent until it returns, then overwritten. */
  say(bytes: Uint8Array | string): this {
    assert.ok(!this.paused && !this.aborted, "nothing is read");
    const chunk = Uint8Array.from(Buffer.from(bytes as string));
    if (this.#table.data(this, chunk) !== true) chunk.fill(0);
    return this;
  }

  ends(): void {
    this.#table.end(this);
  }

  closes(error?: PorticoError): void {
    this.#table.close(this, error);
  }
}
