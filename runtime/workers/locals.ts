import { Address } from "../core/endpoint.ts";

/** Hosts that are remembered; when they are more, all are forgotten and made again. */
const LIMIT = 256;

/** The addresses that one datagram socket is asked at, by their host: the same one is the same object. */
export class Locals {
  readonly #socket: Address;
  readonly #known = new Map<string, Address>();

  /** @param socket what it is bound to. */
  constructor(socket: Address) {
    this.#socket = socket;
  }

  find(host: string): Address {
    if (host === this.#socket.host) return this.#socket;
    let known = this.#known.get(host);
    if (known === undefined) {
      if (this.#known.size >= LIMIT) this.#known.clear();
      const { transport, port, path } = this.#socket;
      this.#known.set(host, known = new Address(transport, host, port, path));
    }
    return known;
  }
}
