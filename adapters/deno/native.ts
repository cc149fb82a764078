/**
 * UDP through `Deno.listenDatagram` alone, where the ffi permission is not given: one datagram at a
 * time, in order, each with a promise of the runtime's.
 */
import type { DatagramSocket, DatagramTable } from "../../runtime/core/contract.ts";
import type { Address } from "../../runtime/core/endpoint.ts";
import type { PorticoError } from "../../runtime/core/errors.ts";
import { dropped, refusalOf } from "../datagram.ts";
import { sendFailure } from "../errno.ts";
import { noDescriptor } from "../posix/libc.ts";
import { UNNAMED } from "../posix/peer.ts";
import { names, pump } from "./receive.ts";

/** Datagrams that may wait to be sent. */
const QUEUE_LIMIT = 1024;

/** See {@link DatagramSocket}. */
export class NativeSocket implements DatagramSocket {
  data: unknown = undefined;
  readonly address: Address;
  readonly #connection: Deno.DatagramConn;
  readonly #table: DatagramTable;
  #queue: { readonly bytes: Uint8Array; readonly to: Address }[] = [];
  #flushing: Promise<void> | undefined;
  #receiving = true;
  #closed: Promise<void> | undefined;

  constructor(connection: Deno.DatagramConn, address: Address, table: DatagramTable) {
    this.#connection = connection;
    this.address = address;
    this.#table = table;
    void pump(connection, {
      size: 65536,
      sender: names<Address>((each) => each, UNNAMED),
      drain: (bytes, from) => {
        if (this.#closed === undefined && this.#receiving) table.datagram(this, bytes, from);
      },
      fail: (error) => this.#fail(error),
    });
  }

  send(bytes: Uint8Array, to: Address): boolean {
    if (this.#closed !== undefined) return true;
    const refusal = refusalOf(bytes, to, this.address.host.includes(":"));
    if (refusal !== undefined) return this.#refuse(refusal);
    if (this.#queue.length >= QUEUE_LIMIT) {
      this.#refuse(dropped(1, to, false));
      return true;
    }
    this.#queue.push({ bytes: new Uint8Array(bytes), to });
    this.#flushing ??= this.#flush();
    return true;
  }

  async #flush(): Promise<void> {
    while (this.#queue.length > 0) {
      const queue = this.#queue;
      this.#queue = [];
      for (const { bytes, to } of queue) {
        try {
          const { host: hostname, port } = to;
          await this.#connection.send(bytes, { transport: "udp", hostname, port });
        } catch (error) {
          this.#fail(sendFailure(error, to));
        }
      }
    }
    this.#flushing = undefined;
  }

  #refuse(error: PorticoError): false {
    setTimeout(() => this.#fail(error));
    return false;
  }

  #fail(error: PorticoError): void {
    if (this.#closed === undefined) this.#table.failure(this, error);
  }

  duplicate(): Promise<number> {
    return Promise.reject(noDescriptor());
  }

  /** Without descriptors nobody else can read what is in the queue, so it is dropped. */
  stopReceiving(): Promise<void> {
    this.#receiving = false;
    return Promise.resolve();
  }

  close(): Promise<void> {
    this.#closed ??= (async () => {
      await this.#flushing;
      this.#connection.close();
    })();
    return this.#closed;
  }
}
