/**
 * What may be sent in answer to a datagram: `limits.amplification` and `limits.bytes`. Each datagram has a
 * budget of its own, of so many times its bytes: so it needs no table, and is the same whoever serves it.
 * Services without these limits have sessions without one.
 */
import type { DatagramSocket } from "../contract.ts";
import type { Address } from "../endpoint.ts";
import { recordRefusal } from "../records.ts";
import { toBytes } from "../session.ts";
import { count } from "../statistics.ts";
import { Confirmed } from "./confirmed.ts";
import type { Service } from "../service.ts";
import type { DatagramPipeline } from "./pipeline.ts";
import { DatagramSession } from "./session.ts";

type Parts = [socket: DatagramSocket, remote: Address, local: Address, length: number, id: number];

/** Of one service, in one thread. */
export class Guard {
  readonly confirmed: Confirmed;
  readonly #told: ((id: number) => void) | undefined;
  readonly #factor: number;
  readonly #most: number;

  /** @param told is told of the session of each that has shown that it is there: where the sockets are not here. */
  constructor({ plan: { limits }, clock }: Service, told?: (id: number) => void) {
    this.confirmed = new Confirmed(clock);
    this.#told = told;
    this.#factor = limits.amplification ?? Infinity;
    this.#most = limits.bytes?.out ?? Infinity;
  }

  /** @param known its sender has shown that it is there, as far as somebody else knows. */
  session(pipeline: DatagramPipeline, parts: Parts, known: boolean): DatagramSession {
    const [, remote, , length] = parts;
    // The kernel says who has sent a Unix datagram.
    const there = this.#factor === Infinity || remote.transport !== "udp" || known ||
      this.confirmed.has(remote);
    const most = there ? Infinity : Math.floor(this.#factor * length);
    return new GuardedSession(pipeline, parts, this, most, this.#most);
  }

  confirm(session: DatagramSession): void {
    this.confirmed.add(session.remote);
    this.#told?.(session.id);
  }
}

class GuardedSession extends DatagramSession {
  readonly #guard: Guard;
  /** How many bytes may be sent while nobody knows that its sender is there, and at all. */
  #unproven: number;
  readonly #most: number;
  #refused = false;

  constructor(
    pipeline: DatagramPipeline,
    parts: Parts,
    guard: Guard,
    unproven: number,
    most: number,
  ) {
    super(pipeline, ...parts);
    this.#guard = guard;
    this.#unproven = unproven;
    this.#most = most;
  }

  override write(data: Uint8Array | string): boolean {
    if (this.over) return false;
    const bytes = toBytes(data);
    const limit = this.#limitOf(bytes);
    return limit === undefined ? super.write(bytes) : this.#refuse(limit);
  }

  /** What may not be sent is lost, as any datagram may be: nobody has to be told of an attack for each. */
  override send(data: Uint8Array | string): Promise<void> {
    if (this.over) return super.send(data);
    const bytes = toBytes(data);
    const limit = this.#limitOf(bytes);
    if (limit === undefined) return super.send(bytes);
    this.#refuse(limit);
    return Promise.resolve();
  }

  #limitOf({ length }: Uint8Array): "amplification" | "bytes" | undefined {
    const sent = this.bytesOut + length;
    if (sent > this.#unproven) return "amplification";
    return sent > this.#most ? "bytes" : undefined;
  }

  /** Told of once for each datagram, however much was to be sent. */
  #refuse(limit: "amplification" | "bytes"): false {
    if (!this.#refused) {
      this.#refused = true;
      // Nobody is to be blamed: who asks may have lied about its address.
      this.service.counters.refused++;
      count(this.service.totals.statistics, "refused", limit);
      recordRefusal(this.service, "debug", this, { limit });
    }
    return false;
  }

  override confirm(): void {
    if (this.#unproven === Infinity) return;
    this.#unproven = Infinity;
    this.#guard.confirm(this);
  }
}
