/** Datagrams in memory. */
import type { DatagramSocket, DatagramTable } from "../../runtime/core/contract.ts";
import type { Address } from "../../runtime/core/endpoint.ts";
import { PorticoError } from "../../runtime/core/errors.ts";

/** The largest datagram, as over UDP. */
const LARGEST = 65507;

/** A socket that peers of this process send to. */
export class MemoryDatagrams implements DatagramSocket {
  data: unknown = undefined;
  readonly address: Address;
  /** What was sent, by the text of the address it went to. */
  readonly sent: Map<string, Uint8Array[]> = new Map();
  readonly #table: DatagramTable;
  readonly #onClose: () => void;
  #closed = false;

  constructor(address: Address, table: DatagramTable, closed: () => void) {
    this.address = address;
    this.#table = table;
    this.#onClose = closed;
  }

  /** Delivers a datagram from `from`, at the end of this turn. The bytes are lent, then overwritten. */
  deliver(bytes: Uint8Array, from: Address): void {
    const lent = new Uint8Array(bytes);
    queueMicrotask(() => {
      if (this.#closed) return;
      this.#table.datagram(this, lent, from);
      lent.fill(0xdd);
    });
  }

  send(bytes: Uint8Array, to: Address): boolean {
    if (this.#closed) return true;
    const code = bytes.length > LARGEST
      ? "EMSGSIZE"
      : to.host === "" && to.path === ""
      ? "PEER_UNNAMED"
      : undefined;
    if (code !== undefined) {
      queueMicrotask(() => {
        if (!this.#closed) this.#table.failure(this, new PorticoError(code));
      });
      return false;
    }
    const answers = this.sent.get(String(to)) ?? [];
    answers.push(new Uint8Array(bytes));
    this.sent.set(String(to), answers);
    return true;
  }

  close(): Promise<void> {
    this.#closed = true;
    this.#onClose();
    return Promise.resolve();
  }
}
