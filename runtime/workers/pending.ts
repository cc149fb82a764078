/** A session on the supervisor's side: from its arrival until a worker has told that nothing is left of it. */
import {
  type Candidate,
  type CutReason,
  type Refusal,
  WEIGHT,
} from "../core/admission/candidate.ts";
import type { Offence } from "../core/admission/gate.ts";
import { type Permit, UNLIMITED } from "../core/admission/permit.ts";
import type { Address } from "../core/endpoint.ts";
import type { RuleOptions } from "../core/plan.ts";
import type { Cuts } from "./cuts.ts";
import type { DatagramMessage } from "./messages.ts";
import type { Dispatcher } from "./dispatcher.ts";

/** Its turn has not come; it needs a worker; one has it, or it is on its way there; nothing is left of it. */
export type PendingPhase = "waiting" | "queued" | "given" | "over";

/** A stream's socket, unread; or a datagram, with the index of the socket that it came to. */
export type Cargo = { readonly fd: number; readonly tls?: number } | {
  readonly bytes: Uint8Array;
  readonly socket: number;
};

export class PendingSession implements Candidate {
  readonly dispatcher: Dispatcher;
  readonly id: number;
  readonly kind: "stream" | "datagram";
  readonly remote: Address;
  readonly local: Address;
  /** When it came, in ms. */
  readonly since: number = performance.now();
  phase: PendingPhase = "waiting";
  permit: Permit = UNLIMITED;
  ruleOptions: RuleOptions | undefined = undefined;
  /** A stream's socket until a worker has taken it; else -1. */
  fd: number;
  /** While it waits: ends the watch for its peer's reset. */
  unwatch: (() => void) | undefined = undefined;
  readonly bytes: Uint8Array | undefined;
  readonly socket: number;
  /** The place of its endpoint's TLS; -1 where that speaks in clear. */
  readonly tlsPlace: number;
  #cuts: Cuts | undefined = undefined;
  #ends: CutReason | undefined = undefined;
  /** How many workers it was given to. */
  tries = 0;

  constructor(
    dispatcher: Dispatcher,
    from: { readonly remote: Address; readonly local: Address },
    cargo: Cargo,
    id: number = dispatcher.service.nextId(),
  ) {
    this.dispatcher = dispatcher;
    this.id = id;
    this.remote = from.remote;
    this.local = from.local;
    const stream = "fd" in cargo;
    this.kind = stream ? "stream" : "datagram";
    this.fd = stream ? cargo.fd : -1;
    this.bytes = stream ? undefined : cargo.bytes;
    this.socket = stream ? -1 : cargo.socket;
    this.tlsPlace = stream ? cargo.tls ?? -1 : -1;
  }

  get weight(): number {
    return WEIGHT[this.kind] + (this.bytes?.length ?? 0);
  }

  /** Whether its sender has shown that it is there. */
  get known(): boolean {
    return this.fd < 0 && (this.dispatcher.confirmed?.has(this.remote) ?? false);
  }

  /** Whether a stream has nothing of {@link more}. */
  get plain(): boolean {
    return this.tlsPlace < 0 && this.ruleOptions === undefined;
  }

  /** What few have with them. */
  get more(): Pick<DatagramMessage, "known" | "options"> & { readonly tls?: number } {
    const { known, ruleOptions: options, tlsPlace: tls } = this;
    return {
      ...(known && { known }),
      ...(options !== undefined && { options }),
      ...(tls >= 0 && { tls }),
    };
  }

  /** It does so now. */
  confirm(): void {
    this.dispatcher.confirmed?.add(this.remote);
  }

  /** What ends it in the worker that has it. */
  set cuts(cuts: Cuts) {
    this.#cuts = cuts;
    if (this.#ends !== undefined) cuts.add(this.id, this.#ends);
  }

  /** One that no worker has yet ends when one has it. */
  cut(reason: CutReason): void {
    this.#ends = reason;
    this.#cuts?.add(this.id, reason);
  }

  admitted(): void {
    this.dispatcher.dispatch(this);
  }

  refused(why: Refusal): void {
    this.dispatcher.refuse(this, why);
  }

  /** Its worker tells of its peer. */
  offended(what: Offence): void {
    this.dispatcher.service.blame(this, what);
  }

  // What records say of it, when it is refused or its worker has died.

  readonly bytesIn: number = 0;
  readonly bytesOut: number = 0;
  reason: string | undefined = undefined;
}
