/** Answers to datagrams whose senders a balancer has told of: they go the way that these came. */
import type { DatagramSocket, DatagramTable, Losses } from "../core/contract.ts";
import type { Address } from "../core/endpoint.ts";
import { viaOf } from "../core/prologue/via.ts";

/** A socket whose answers to a peer that was told of go the way that it came. */
export class AnsweringSocket implements DatagramSocket {
  /** What is in the place of the socket is asked for when something is sent. */
  data: unknown = undefined;
  readonly #socket: DatagramSocket;
  readonly losses?: () => Losses | undefined;

  constructor(socket: DatagramSocket) {
    this.#socket = socket;
    if (socket.losses !== undefined) this.losses = () => socket.losses!();
  }

  get address(): Address {
    return this.#socket.address;
  }

  send(bytes: Uint8Array, to: Address, from?: Address): boolean {
    let socket = this.#socket;
    while (socket.data !== undefined) socket = socket.data as DatagramSocket;
    const via = viaOf(to);
    return via === undefined
      ? socket.send(bytes, to, from)
      : socket.send(bytes, via.remote, via.local);
  }

  duplicate(): Promise<number> {
    return this.#socket.duplicate();
  }

  stopReceiving(): Promise<void> {
    return this.#socket.stopReceiving();
  }

  close(keep?: boolean): Promise<void> {
    return this.#socket.close(keep);
  }
}

/** Gives sessions sockets that answer the way that a datagram came: where they are served beside the sockets. */
export function answering(table: DatagramTable): DatagramTable {
  let known: DatagramSocket | undefined;
  let answers: AnsweringSocket | undefined;
  return {
    datagram(socket, bytes, from, to) {
      if (socket !== known) {
        known = socket;
        answers = new AnsweringSocket(socket);
      }
      table.datagram(answers!, bytes, from, to);
    },
    failure: (socket, error) => table.failure(socket, error),
  };
}
