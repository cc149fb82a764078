/**
 * UDP sockets of a runtime's own, where there is no FFI: datagrams come and go one by one, and nobody
 * else can be given the socket. What waits to be sent is bounded here, as no runtime bounds it.
 */
import type { DatagramSocket, DatagramTable } from "../../runtime/core/contract.ts";
import type { Address } from "../../runtime/core/endpoint.ts";
import type { PorticoError } from "../../runtime/core/errors.ts";
import { dropped, refusalOf } from "../datagram.ts";
import { sendFailure } from "../errno.ts";
import { noDescriptor } from "../posix/libc.ts";

/** Bytes that may wait to be sent. */
const QUEUE_LIMIT: number = 4 * 1024 * 1024;

/** See {@link DatagramSocket}. */
export abstract class UnbatchedSocket implements DatagramSocket {
  data: unknown = undefined;
  readonly address: Address;
  protected readonly table: DatagramTable;
  protected receiving = true;
  /** Bytes that the kernel has not taken. */
  protected waiting = 0;
  readonly #ipv6: boolean;
  readonly #inOrder: boolean;
  /** Those that wait for the one before them. */
  #queue: { readonly bytes: Uint8Array; readonly to: Address }[] = [];
  #underWay = 0;
  #closed: Promise<void> | undefined = undefined;
  #allSent: (() => void) | undefined = undefined;

  /** @param inOrder each send waits for the one before it: the runtime's would overtake each other. */
  constructor(address: Address, ipv6: boolean, inOrder: boolean, table: DatagramTable) {
    this.address = address;
    this.#ipv6 = ipv6;
    this.#inOrder = inOrder;
    this.table = table;
  }

  /** Sends a datagram whose bytes are ours. `sent` is called in a later turn, with what went wrong. */
  protected abstract transmit(
    bytes: Uint8Array<ArrayBuffer>,
    to: Address,
    sent: (error: unknown) => void,
  ): void;

  /** Closes the runtime's socket. */
  protected abstract release(): void | Promise<void>;

  protected get closed(): boolean {
    return this.#closed !== undefined;
  }

  send(bytes: Uint8Array, to: Address): boolean {
    if (this.closed) return true;
    const refusal = this.refusal(bytes, to);
    if (refusal !== undefined) {
      this.#failLater(refusal);
      return false;
    }
    if (this.waiting + bytes.length > QUEUE_LIMIT) {
      this.#failLater(dropped(1, to, false));
      return true;
    }
    const copy = new Uint8Array(bytes);
    this.waiting += copy.length;
    if (this.#inOrder && this.#underWay > 0) this.#queue.push({ bytes: copy, to });
    else this.#send(copy, to);
    return true;
  }

  /** Why this can never be sent; undefined when it can. */
  protected refusal(bytes: Uint8Array, to: Address): PorticoError | undefined {
    return refusalOf(bytes, to, this.#ipv6);
  }

  #send(bytes: Uint8Array<ArrayBuffer>, to: Address): void {
    this.#underWay++;
    this.transmit(bytes, to, (error) => {
      this.#underWay--;
      this.waiting -= bytes.length;
      const next = this.#queue.shift();
      if (next !== undefined) this.#send(next.bytes as Uint8Array<ArrayBuffer>, next.to);
      if (error != null) this.fail(sendFailure(error, to));
      if (this.#underWay === 0) this.#allSent?.();
    });
  }

  #failLater(error: PorticoError): void {
    setImmediate(() => this.fail(error));
  }

  protected fail(error: PorticoError): void {
    if (!this.closed) this.table.failure(this, error);
  }

  duplicate(): Promise<number> {
    return Promise.reject(noDescriptor());
  }

  /** Without descriptors nobody else can read what is in the queue, so it is dropped. */
  stopReceiving(): Promise<void> {
    this.receiving = false;
    return Promise.resolve();
  }

  close(): Promise<void> {
    this.receiving = false;
    return this.#closed ??= this.#close();
  }

  async #close(): Promise<void> {
    if (this.#underWay > 0) await new Promise<void>((resolve) => this.#allSent = resolve);
    await this.release();
  }
}
