import type { Address } from "../endpoint.ts";

/**
 * The UDP sockets of this server. A datagram that seems to come from one of them is answered to a service
 * that answers it in turn, and so on for ever: none of them sends but to answer, so its sender is forged,
 * or has the same port on another address of this machine.
 */
export class OwnSockets {
  /** How many sockets have a port. */
  readonly #ports = new Map<number, number>();
  readonly #ownsAddress: (host: string) => boolean;

  /** @param ownsAddress as {@link Adapter.ownsAddress}. */
  constructor(ownsAddress: (host: string) => boolean) {
    this.#ownsAddress = ownsAddress;
  }

  /** One more is there; nothing for what is none of UDP. */
  add({ transport, port }: Address): void {
    if (transport === "udp") this.#ports.set(port, (this.#ports.get(port) ?? 0) + 1);
  }

  remove({ transport, port }: Address): void {
    if (transport !== "udp") return;
    const count = this.#ports.get(port) ?? 0;
    if (count > 1) this.#ports.set(port, count - 1);
    else this.#ports.delete(port);
  }

  /** Whether a datagram from `remote` seems to come from one of them, whichever address of ours that names. */
  has(remote: Address, local: Address): boolean {
    return this.#ports.has(remote.port) && remote.transport === "udp" &&
      (remote.host === local.host || this.#ownsAddress(remote.host));
  }
}
