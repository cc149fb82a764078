/**
 * Where the sessions of a service with workers arrive: the first half of their way. It stands where the
 * sockets are, in the supervisor, so that every count is exact and whoever waits outlives the workers.
 *
 *     ARRIVE → RULES → LIMITS → TURN → a worker: VERIFY → SETUP → DATA | HANDLE | TAKE → FINISH
 */
import type { Admission } from "../core/admission/admission.ts";
import type { Refusal } from "../core/admission/candidate.ts";
import type { DatagramSocket, DatagramTable } from "../core/contract.ts";
import type { AdmitTable, Descriptors, Origin } from "../core/descriptors.ts";
import { isTcp } from "../core/endpoint.ts";
import type { Fields } from "../core/record.ts";
import { recordClose, recordRefusal } from "../core/records.ts";
import { Confirmed } from "../core/datagram/confirmed.ts";
import type { Service } from "../core/service.ts";
import { PendingSession } from "./pending.ts";

/** Sends a session to a worker, now or when there is one. */
export type SendToWorker = (session: PendingSession) => void;

export class Dispatcher {
  readonly service: Service;
  readonly datagrams: DatagramTable;
  /** Who has shown that it is there, where `limits.amplification` asks for it. */
  readonly confirmed: Confirmed | undefined;
  readonly #admission: Admission;
  readonly #descriptors: Pick<Descriptors, "adopt" | "close" | "reset" | "watchReset">;
  readonly #send: SendToWorker;

  constructor(
    service: Service,
    admission: Admission,
    descriptors: Pick<Descriptors, "adopt" | "close" | "reset" | "watchReset">,
    send: SendToWorker,
  ) {
    this.service = service;
    const { clock, plan: { limits } } = service;
    this.confirmed = limits.amplification === undefined ? undefined : new Confirmed(clock);
    this.#admission = admission;
    this.#descriptors = descriptors;
    this.#send = send;
    this.datagrams = {
      datagram: (socket, bytes, from, to) => {
        service.counters.datagramsIn++;
        service.counters.bytesIn += bytes.length;
        const origin = { remote: from, local: to };
        const cargo = { bytes: new Uint8Array(bytes), socket: indexOf(socket) };
        this.#arrive(new PendingSession(this, origin, cargo));
      },
      failure: (_socket, error) => service.report(error),
    };
  }

  /** Where streams of one endpoint arrive. @param tls the place of its TLS; -1 where it speaks in clear. */
  streams(tls: number): AdmitTable {
    return {
      arrive: (fd, origin) => this.#arrive(new PendingSession(this, origin, { fd, tls })),
      failure: (error) => this.service.report(error),
    };
  }

  #arrive(session: PendingSession): void {
    const answer = this.#admission.admit(session);
    if (!("stage" in answer)) return this.refuse(session, answer);
    session.permit = answer;
    if (answer.granted) return this.dispatch(session);
    if (session.fd < 0 || !isTcp(session.local.transport)) return;
    session.unwatch = this.#descriptors.watchReset(session.fd, () => this.over(session));
  }

  /** One has come to a worker, which listens for it: a place for it, or why not. */
  join(id: number, from: Origin): PendingSession | Refusal {
    const session = new PendingSession(this, from, { fd: -1 }, id);
    const answer = this.#admission.join(session);
    if (!("stage" in answer)) return answer;
    session.permit = answer;
    session.phase = "given";
    return session;
  }

  refuse(session: PendingSession, why: Refusal, more?: Fields): void {
    this.service.countRefusal(why, session);
    const level = session.kind === "stream" ? "info" : "debug";
    recordRefusal(this.service, level, session, why, more);
    if (session.fd >= 0) this.#turnAway(session, why);
    this.over(session);
  }

  /** Lets the peer hear of it, where it is to. */
  #turnAway(session: PendingSession, why: Refusal): void {
    const { banners } = this.service;
    const abrupt = this.service.resets(why);
    if (banners === undefined && !abrupt) return;
    session.unwatch?.();
    if (abrupt) this.#descriptors.reset(session.fd);
    // Nobody who is to hear TLS is spoken to in clear.
    else if (session.tlsPlace >= 0 || !banners!.dismissSocket(this.#descriptors, session, why)) {
      return;
    }
    session.fd = -1;
  }

  /** Its turn has come; or the worker that it was given to has died before it had it. */
  dispatch(session: PendingSession): void {
    session.unwatch?.();
    session.phase = "queued";
    this.#send(session);
  }

  // What becomes of it.

  /** It is on its way to a worker, which may die before it has it. */
  given(session: PendingSession): void {
    session.phase = "given";
  }

  /** A worker has it; the descriptor is not needed here any more. */
  taken(session: PendingSession): void {
    session.unwatch?.();
    if (session.fd >= 0) this.#descriptors.close(session.fd);
    session.fd = -1;
  }

  /** Nothing is left of it. */
  over(session: PendingSession): void {
    if (session.phase === "over") return;
    session.phase = "over";
    this.taken(session);
    session.permit.release();
  }

  /** Its worker has died with it: nobody knows any more how many bytes it came to. */
  lost(session: PendingSession): void {
    session.reason = "worker";
    const durationMs = Math.floor(performance.now() - session.since);
    if (session.kind === "stream") this.service.countEnd(session.reason, durationMs);
    const level = session.kind === "stream" ? "info" : "debug";
    recordClose(this.service, level, session, durationMs);
    this.over(session);
  }

  /** No worker can be had for it. */
  abandon(session: PendingSession): void {
    this.refuse(session, { limit: "workers" });
  }
}

/** Which of the service's datagram sockets it is: the dispatcher's owner has written it there. */
function indexOf(socket: DatagramSocket): number {
  return socket.data as number;
}
