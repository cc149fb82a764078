/** A core that checks the rules of `contract.ts` in whatever a case does with a datagram adapter. */
import assert from "node:assert/strict";
import type { DatagramSocket, DatagramTable } from "../../runtime/core/contract.ts";
import type { Address } from "../../runtime/core/endpoint.ts";
import type { PorticoError } from "../../runtime/core/errors.ts";

/** What a case does with a datagram. */
export type Answer = (
  receiver: Receiver,
  bytes: Uint8Array,
  from: Address,
  to: Address,
) => void;

/** The table of one socket. */
export class Receiver implements DatagramTable {
  socket!: DatagramSocket;
  readonly received: {
    readonly bytes: Uint8Array;
    readonly from: Address;
    readonly to: Address;
  }[] = [];
  readonly failures: PorticoError[] = [];
  readonly #answer: Answer;
  readonly #complaints: string[] = [];
  #sending = false;
  #closed = false;

  constructor(answer: Answer) {
    this.#answer = answer;
  }

  send(bytes: Uint8Array, to: Address, from?: Address): boolean {
    const outer = this.#sending;
    this.#sending = true;
    try {
      return this.socket.send(bytes, to, from);
    } finally {
      this.#sending = outer;
    }
  }

  datagram(socket: DatagramSocket, bytes: Uint8Array, from: Address, to: Address): void {
    this.#check("datagram", socket);
    this.received.push({ bytes: bytes.slice(), from, to });
    const sending = this.#sending;
    this.#sending = false;
    try {
      this.#answer(this, bytes, from, to);
    } catch (error) {
      this.#complaints.push(`datagram threw: ${error}`);
    }
    this.#sending = sending;
  }

  failure(socket: DatagramSocket, error: PorticoError): void {
    this.#check("failure", socket);
    this.failures.push(error);
  }

  #check(event: string, socket: DatagramSocket): void {
    if (this.#sending) this.#complaints.push(`${event} inside send`);
    if (this.#closed) this.#complaints.push(`${event} after close`);
    if (this.socket !== undefined && socket !== this.socket) {
      this.#complaints.push(`${event} of another socket`);
    }
  }

  async close(): Promise<void> {
    await this.socket.close();
    this.#closed = true;
  }

  /** Closes it, and says which rules were broken. */
  async stop(settle: () => Promise<void>): Promise<void> {
    await this.close();
    await settle();
    assert.deepEqual(this.#complaints, []);
  }
}
