/** Interning of peers whose address a runtime gives as host and port. */
import type { Address } from "../../runtime/core/endpoint.ts";

/** Peers remembered; when they are more, all are forgotten and learned again. */
const LIMIT = 4096;

/** The same host and port give the same object. `host` is the runtime's text for it. */
export class AddressCache<A extends Address> {
  readonly #make: (host: string, port: number) => A;
  readonly #hosts = new Map<string, Map<number, A>>();
  #count = 0;

  constructor(make: (host: string, port: number) => A) {
    this.#make = make;
  }

  find(host: string, port: number): A {
    return this.#hosts.get(host)?.get(port) ?? this.#add(host, port);
  }

  #add(host: string, port: number): A {
    if (this.#count >= LIMIT) {
      this.#hosts.clear();
      this.#count = 0;
    }
    let ports = this.#hosts.get(host);
    if (ports === undefined) this.#hosts.set(host, ports = new Map());
    const made = this.#make(host, port);
    ports.set(port, made);
    this.#count++;
    return made;
  }
}
