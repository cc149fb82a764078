/**
 * The front of a service whose sessions are served by workers: the first half of the pipeline. It
 * stands where the sockets are, in the supervisor, so that every count is exact and whoever waits
 * outlives the workers.
 *
 *     ADMIT → VERIFY (rules by address) → LIMIT → STRATEGY (turn) → a worker: VERIFY (plugin) → SETUP …
 */
import type { DatagramSocket, DatagramTable } from "../core/contract.ts";
import { Count } from "../core/count.ts";
import type { AdmitTable, Descriptors } from "../core/descriptors.ts";
import type { LimitName } from "../core/admission/limits.ts";
import { recordArrival, recordClose } from "../core/records.ts";
import type { Service } from "../core/service.ts";
import { Arrival } from "./pending.ts";

/** Bytes of datagrams that wait for a turn, or for a worker; beyond it new ones are refused. */
const HELD_MAX = 4 * 1024 * 1024;

/** Sends a session to a worker, now or when there is one. */
export type Dispatch = (arrival: Arrival) => void;

export class Front {
  readonly service: Service;
  readonly streams: AdmitTable;
  readonly datagrams: DatagramTable;
  readonly #descriptors: Descriptors;
  readonly #dispatch: Dispatch;
  readonly #live: Count = new Count();
  /** Those that wait, in the order of arrival, and look at their deadline. */
  readonly #waiting: Set<Arrival> = new Set();
  #heldBytes = 0;
  #timer: ReturnType<typeof setTimeout> | undefined = undefined;
  #closing = false;

  constructor(service: Service, descriptors: Descriptors, dispatch: Dispatch) {
    this.service = service;
    this.#descriptors = descriptors;
    this.#dispatch = dispatch;
    this.streams = {
      arrive: (fd, origin) => this.#verify(new Arrival(this, origin, { fd })),
      failure: (error) => service.report(error),
    };
    this.datagrams = {
      datagram: (socket, bytes, from) => {
        const origin = { remote: from, local: socket.address };
        const copy = new Uint8Array(bytes);
        const place = { bytes: copy, socket: this.#indexOf(socket) };
        this.#verify(new Arrival(this, origin, place));
      },
      failure: (_socket, error) => service.report(error),
    };
  }

  /** Sessions that are waiting or served. */
  get live(): number {
    return this.#live.value;
  }

  get held(): number {
    return this.#waiting.size;
  }

  #indexOf(socket: DatagramSocket): number {
    return socket.data as number;
  }

  // VERIFY

  #verify(arrival: Arrival): void {
    const { access } = this.service;
    this.#live.up();
    if (this.#closing) return this.#refuse(arrival, { limit: "drain" });
    const rule = access.empty ? undefined : access.refuses(arrival.remote.host);
    if (rule !== undefined) return this.#refuse(arrival, { rule });
    this.#limit(arrival);
  }

  // LIMIT

  #limit(arrival: Arrival): void {
    const size = arrival.bytes?.length ?? 0;
    if (this.#heldBytes + size > HELD_MAX) return this.#refuse(arrival, { limit: "hold" });
    this.#heldBytes += size;
    arrival.counted = true;
    const full = this.enter(arrival);
    if (full === undefined) return;
    const { overflow } = this.service.plan.limits;
    if (full === "rate" || overflow === "refuse" || arrival.kind === "datagram") {
      return this.#refuse(arrival, { limit: full });
    }
    this.service.room.parked.add(arrival);
    this.#wait(arrival, "parked");
  }

  enter(arrival: Arrival): LimitName | undefined {
    const full = this.service.gate.enter(arrival.source);
    if (full !== undefined) return full;
    arrival.placed = true;
    this.#takeTurn(arrival);
    return undefined;
  }

  #refuse(arrival: Arrival, why: { rule: string } | { limit: string }): void {
    const { counters } = this.service;
    this.service.countRefusal(why);
    if (arrival.bytes !== undefined) {
      // No worker is told of it, and counts it.
      counters.datagramsIn++;
      counters.bytesIn += arrival.bytes.length;
    }
    const level = arrival.kind === "stream" ? "info" : "debug";
    recordArrival(this.service, level, "refuse", arrival, why);
    this.over(arrival);
  }

  // STRATEGY

  #takeTurn(arrival: Arrival): void {
    const { turns } = this.service;
    if (turns.enter()) return this.serve(arrival);
    this.#wait(arrival, "held");
    turns.wait(arrival);
  }

  #wait(arrival: Arrival, phase: "parked" | "held"): void {
    arrival.phase = phase;
    this.#waiting.add(arrival);
    this.#watch();
  }

  /** Its turn has come. */
  serve(arrival: Arrival): void {
    this.#waiting.delete(arrival);
    arrival.turn = true;
    arrival.phase = "queued";
    this.#dispatch(arrival);
  }

  // The deadline of those that wait: the longest is the first.

  #watch(): void {
    const { hold } = this.service.plan.limits;
    if (this.#timer !== undefined || hold === Infinity) return;
    const [first] = this.#waiting;
    if (first === undefined) return;
    const left = first.since + hold - performance.now();
    this.#timer = setTimeout(() => this.#look(hold), Math.max(10, left));
  }

  #look(hold: number): void {
    this.#timer = undefined;
    const now = performance.now();
    for (const arrival of this.#waiting) {
      if (arrival.since + hold > now) break;
      this.#refuse(arrival, { limit: "hold" });
    }
    this.#watch();
  }

  // What workers tell.

  /** It is on its way to a worker, which may die before it has it. */
  given(arrival: Arrival): void {
    arrival.phase = "served";
  }

  /** A worker has it; the descriptor is not needed here any more. */
  taken(arrival: Arrival): void {
    this.#release(arrival);
  }

  /** Its worker has died before it had it: another one may be luckier. */
  again(arrival: Arrival): void {
    arrival.phase = "queued";
    this.#dispatch(arrival);
  }

  /** It has given its turn back, and lingers. */
  turned(arrival: Arrival): void {
    if (!arrival.turn) return;
    arrival.turn = false;
    this.service.turns.leave();
  }

  /** Nothing is left of it. */
  over(arrival: Arrival): void {
    if (arrival.phase === "over") return;
    if (arrival.counted) this.#heldBytes -= arrival.bytes?.length ?? 0;
    arrival.phase = "over";
    this.#waiting.delete(arrival);
    this.#release(arrival);
    this.turned(arrival);
    this.service.leave(arrival, arrival.placed ? arrival.source : undefined);
    this.#live.down();
  }

  /** Its worker has died with it: nobody knows any more how many bytes it came to. */
  lost(arrival: Arrival): void {
    arrival.reason = "worker";
    const durationMs = Math.floor(performance.now() - arrival.since);
    if (arrival.kind === "stream") this.service.countEnd(arrival.reason, durationMs);
    const level = arrival.kind === "stream" ? "info" : "debug";
    recordClose(this.service, level, arrival, durationMs);
    this.over(arrival);
  }

  /** No worker can be had for it. */
  abandon(arrival: Arrival): void {
    this.#refuse(arrival, { limit: "workers" });
  }

  #release(arrival: Arrival): void {
    if (arrival.fd >= 0) this.#descriptors.close(arrival.fd);
    arrival.fd = -1;
  }

  // The end.

  /** Refuses those who wait, unless they are to be kept. Resolves when nobody is left, or after `limit` ms. */
  async drain(limit: number, keep: boolean): Promise<boolean> {
    this.#closing = !keep;
    if (!keep) {
      for (const arrival of [...this.#waiting]) this.#refuse(arrival, { limit: "drain" });
    }
    return await this.#live.empty(limit);
  }

  /** Takes newcomers again, after a drain. */
  reopen(): void {
    this.#closing = false;
  }

  close(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }
}
