/** A session on the supervisor's side: from its arrival until a worker has told that nothing is left of it. */
import type { Address } from "../core/endpoint.ts";
import type { Parked } from "../core/admission/parking.ts";
import type { Waiting } from "../core/admission/turns.ts";
import type { Front } from "./dispatcher.ts";
import type { Member } from "./handle.ts";

/** At the limit; its turn not come; on its way to a worker; in one; through. */
export type ArrivalPhase = "parked" | "held" | "queued" | "served" | "over";

export class Arrival implements Waiting, Parked {
  readonly front: Front;
  readonly id: number;
  readonly kind: "stream" | "datagram";
  readonly remote: Address;
  readonly local: Address;
  /** What its gate counts it by. */
  readonly source: string;
  /** Milliseconds, by the front's clock. */
  readonly since: number;
  phase: ArrivalPhase = "held";
  /** A stream's socket, unread, until a worker has taken it; else -1. */
  fd: number;
  /** A datagram, and the index of the socket that it came to. */
  readonly bytes: Uint8Array | undefined;
  readonly socket: number;
  member: Member | undefined = undefined;
  /** How many workers it was given to. */
  tries = 0;
  /** Has a place at the gate; has a turn. Each is given back once. */
  placed = false;
  turn = false;
  /** Its bytes are counted among those that wait. */
  counted = false;

  constructor(
    front: Front,
    from: { readonly remote: Address; readonly local: Address },
    what: { readonly fd: number } | { readonly bytes: Uint8Array; readonly socket: number },
  ) {
    const { service } = front;
    this.front = front;
    this.id = service.nextId();
    this.remote = from.remote;
    this.local = from.local;
    this.source = service.gate.countsSources ? from.remote.host : "";
    this.since = performance.now();
    this.kind = "fd" in what ? "stream" : "datagram";
    this.fd = "fd" in what ? what.fd : -1;
    this.bytes = "fd" in what ? undefined : what.bytes;
    this.socket = "fd" in what ? -1 : what.socket;
  }

  get waits(): boolean {
    return this.phase === "parked" || this.phase === "held";
  }

  enter(): unknown {
    return this.front.enter(this);
  }

  serve(): void {
    this.front.serve(this);
  }

  // What records say of it, when it is refused or its worker has died.

  readonly bytesIn: number = 0;
  readonly bytesOut: number = 0;
  reason: string | undefined = undefined;
}
