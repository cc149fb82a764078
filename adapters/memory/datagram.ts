/** Datagrams in memory. */
import type { DatagramTable, DialedSocket } from "../../runtime/core/contract.ts";
import type { Address } from "../../runtime/core/endpoint.ts";
import { PorticoError } from "../../runtime/core/errors.ts";

/** The largest datagram, as over UDP. */
const LARGEST = 65507;

/** Where a socket is, and what becomes of it. */
export interface Binding {
  readonly address: Address;
  /** The socket of this process at an address. */
  find(at: Address): MemoryDatagrams | undefined;
  closed(): void;
}

/** A socket that peers of this process send to. */
export class MemoryDatagrams implements DialedSocket {
  data: unknown = undefined;
  readonly address: Address;
  readonly target: Address;
  /** What was sent, by the text of the address it went to. */
  readonly sent: Map<string, Uint8Array[]> = new Map();
  /** Is called when something was sent. */
  changed: () => void = () => {};
  readonly #binding: Binding;
  readonly #table: DatagramTable;
  readonly #dialed: boolean;
  #receiving = true;
  #closed = false;

  /** @param target of a dialed socket: it hears nobody else, and whether somebody is there. */
  constructor(binding: Binding, table: DatagramTable, target?: Address) {
    this.address = binding.address;
    this.target = target ?? binding.address;
    this.#binding = binding;
    this.#table = table;
    this.#dialed = target !== undefined;
  }

  /** Delivers a datagram from `from`, at the end of this turn. The bytes are lent, then overwritten. */
  deliver(bytes: Uint8Array, from: Address, to: Address = this.address): void {
    if (this.#dialed && String(from) !== String(this.target)) return;
    const lent = new Uint8Array(bytes);
    queueMicrotask(() => {
      if (this.#closed || !this.#receiving) return;
      this.#table.datagram(this, lent, from, to);
      lent.fill(0xdd);
    });
  }

  send(bytes: Uint8Array, to: Address, from: Address = this.address): boolean {
    if (this.#closed) return true;
    if (bytes.length > LARGEST) return this.#fail("EMSGSIZE");
    if (to.port === 0 && (to.host !== "" || to.path === "")) return this.#fail("PEER_UNNAMED");
    const answers = this.sent.get(String(to)) ?? [];
    answers.push(new Uint8Array(bytes));
    this.sent.set(String(to), answers);
    this.changed();
    const peer = this.#binding.find(to);
    if (peer !== undefined) peer.deliver(bytes, from);
    else if (this.#dialed) this.#fail("ECONNREFUSED");
    return true;
  }

  offer(bytes: Uint8Array): boolean {
    if (this.#closed) return true;
    if (bytes.length > LARGEST) throw new PorticoError("EMSGSIZE");
    // Over UDP that is heard afterwards, as a failure.
    const unix = this.target.transport === "unixgram";
    if (unix && this.#binding.find(this.target) === undefined) {
      throw new PorticoError("ECONNREFUSED");
    }
    return this.send(bytes, this.target);
  }

  #fail(code: "EMSGSIZE" | "PEER_UNNAMED" | "ECONNREFUSED"): false {
    queueMicrotask(() => {
      if (!this.#closed) this.#table.failure(this, new PorticoError(code));
    });
    return false;
  }

  duplicate(): Promise<number> {
    return Promise.reject(new PorticoError("NOT_SUPPORTED", "there is no descriptor in memory"));
  }

  stopReceiving(): Promise<void> {
    this.#receiving = false;
    return Promise.resolve();
  }

  close(): Promise<void> {
    this.#closed = true;
    this.#binding.closed();
    return Promise.resolve();
  }
}
