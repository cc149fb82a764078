/**
 * The way of a datagram through one service: the steps of `pipeline.ts`, without an open and a
 * close. What is answered at once is not copied; what has to wait is, in bounds.
 */
import type { Caller } from "../calls.ts";
import { callHook, follow } from "../calls.ts";
import type { DatagramSocket, DatagramTable } from "../contract.ts";
import { Count } from "../count.ts";
import { DatagramSession } from "./session.ts";
import type { Address } from "../endpoint.ts";
import { hookError, isPromise } from "../hooks.ts";
import { keep } from "../keep.ts";
import { recordArrival, recordClose } from "../records.ts";
import type { Service } from "../service.ts";

/** Bytes of datagrams that wait for their turn; beyond it new ones are refused. */
const HELD_MAX = 4 * 1024 * 1024;

/** The datagram sessions of one service. */
export class Packets {
  readonly service: Service;
  /** What an adapter calls. */
  readonly table: DatagramTable;
  /** The lent bytes have to be copied before the hook sees them: it may look at them later. */
  readonly #keeps: boolean;
  #heldBytes = 0;
  #held = 0;
  readonly #live: Count = new Count();
  readonly #caller: Caller<DatagramSession>;

  constructor(service: Service) {
    const { hooks } = service;
    this.service = service;
    this.#keeps = service.pulls || hooks.setup !== undefined ||
      hooks.data?.constructor.name === "AsyncFunction";
    this.#caller = {
      gather: service.gather,
      failed: (session, thrown) => this.#fail(session, thrown),
    };
    this.table = {
      datagram: (socket, bytes, from) => this.#arrive(socket, bytes, from),
      failure: (_socket, error) => service.report(error),
    };
  }

  /** Sessions that are held or served now. */
  get live(): number {
    return this.#live.value;
  }

  /** Those of them that wait for their turn. */
  get held(): number {
    return this.#held;
  }

  // VERIFY

  #arrive(socket: DatagramSocket, bytes: Uint8Array, from: Address): void {
    const { access, counters, gather, hooks } = this.service;
    counters.bytesIn += bytes.length;
    counters.datagramsIn++;
    const session = new DatagramSession(this, socket, from, bytes.length);
    gather.enter();
    const rule = access.empty ? undefined : access.refuses(from.host);
    if (rule !== undefined) this.#refuse(session, { rule });
    else if (hooks.verify === undefined) this.#limit(session, bytes);
    else this.#verify(session, bytes);
    gather.leave();
  }

  #verify(session: DatagramSession, bytes: Uint8Array): void {
    let answer: boolean | Promise<boolean>;
    try {
      answer = this.service.hooks.verify!(session);
    } catch (error) {
      this.#fail(session, error);
      return this.service.leave(session, undefined);
    }
    if (!isPromise(answer)) return this.#decide(session, bytes, answer);
    const kept = keep(bytes);
    this.#live.up();
    const asked = (): void => this.#live.down();
    follow(this.#caller, session, answer, (answer) => {
      this.#decide(session, kept, answer);
      asked();
    }, () => {
      this.service.leave(session, undefined);
      asked();
    });
  }

  #decide(session: DatagramSession, bytes: Uint8Array, answer: boolean): void {
    if (answer === false) this.#refuse(session, { rule: "verify" });
    else this.#limit(session, bytes);
  }

  // LIMIT

  #limit(session: DatagramSession, bytes: Uint8Array): void {
    const { gate, turns } = this.service;
    const limit = gate.enter(session.source);
    if (limit !== undefined) return this.#refuse(session, { limit });
    this.#live.up();
    if (turns.enter()) return this.#serve(session, bytes);
    if (this.#heldBytes + bytes.length > HELD_MAX) {
      this.#refuse(session, { limit: "hold" });
      return this.#leave(session);
    }
    this.#heldBytes += bytes.length;
    this.#held++;
    session.hold(keep(bytes));
    turns.wait(session);
  }

  #refuse(session: DatagramSession, why: { rule: string } | { limit: string }): void {
    this.service.countRefusal(why);
    session.over = true;
    recordArrival(this.service, "debug", "refuse", session, why);
    this.service.leave(session, undefined);
  }

  // STRATEGY: the turn of a held datagram has come.

  serve(session: DatagramSession, bytes: Uint8Array, waited: number): void {
    this.#heldBytes -= bytes.length;
    this.#held--;
    if (waited <= this.service.plan.limits.hold) return this.#serve(session, bytes);
    this.#refuse(session, { limit: "hold" });
    this.service.leaveTurn(session);
    this.#leave(session);
  }

  // SETUP, DATA | HANDLE

  #serve(session: DatagramSession, bytes: Uint8Array): void {
    const { hooks } = this.service;
    this.service.countServed();
    if (this.service.log.wants("debug", "open") || this.service.log.wants("debug", "close")) {
      session.begin();
      recordArrival(this.service, "debug", "open", session);
    }
    const datagram = this.#keeps ? keep(bytes) : bytes;
    if (hooks.setup === undefined) return this.#handle(session, datagram);
    callHook(this.#caller, session, () => hooks.setup!(session as never), (state) => {
      session.state = state;
      this.#handle(session, datagram);
    }, () => this.#leaveTurn(session));
  }

  #handle(session: DatagramSession, bytes: Uint8Array): void {
    const { hooks } = this.service;
    if (hooks.data === undefined) {
      session.openReader();
      session.reader.push(bytes);
      session.closeReader();
      const done = (): void => this.#finish(session);
      return callHook(this.#caller, session, () => hooks.handle!(session), done, done);
    }
    try {
      const answer = hooks.data(session, bytes);
      if (answer !== undefined && isPromise(answer)) {
        const done = (): void => this.#finish(session);
        return follow(this.#caller, session, answer, done, done);
      }
    } catch (error) {
      this.#fail(session, error);
    }
    this.#finish(session);
  }

  // FINISH

  #finish(session: DatagramSession): void {
    const { hooks } = this.service;
    if (hooks.finish === undefined) return this.#leaveTurn(session);
    const done = (): void => this.#leaveTurn(session);
    callHook(this.#caller, session, () => hooks.finish!(session), done, done);
  }

  #leaveTurn(session: DatagramSession): void {
    session.over = true;
    session.signalEnd("done");
    session.reason ??= "done";
    if (this.service.log.wants("debug", "close")) {
      recordClose(this.service, "debug", session, session.age);
    }
    this.service.leaveTurn(session);
    this.#leave(session);
  }

  #leave(session: DatagramSession): void {
    this.service.leave(session, session.source);
    this.#live.down();
  }

  // ERROR

  #fail(session: DatagramSession, thrown: unknown): void {
    const { service } = this;
    const { hooks } = service;
    session.reason ??= "error";
    if (hooks.error === undefined) return service.report(hookError(thrown), session.id);
    service.countError(hookError(thrown));
    // What the hook throws itself is only reported.
    const reporter: Caller<DatagramSession> = {
      gather: service.gather,
      failed: (_session, error) => service.report(hookError(error), session.id),
    };
    callHook(reporter, session, () => hooks.error!(session, thrown));
  }

  // The end of the service.

  /** Resolves when every datagram that was received has been answered, or after `limit` ms. */
  async drain(limit: number): Promise<void> {
    await this.#live.empty(limit);
  }

  /** A drain need not go on. */
  reopen(): void {
    this.#live.recall();
  }
}
