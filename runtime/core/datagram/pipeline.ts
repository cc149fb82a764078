/**
 * The way of a datagram through one service: the steps of `stream/pipeline.ts`, without an open and a
 * close. What is answered at once is not copied, where the plugin says that it keeps nothing; what has
 * to wait is, in bounds.
 */
import type { Admission } from "../admission/admission.ts";
import type { CutReason, Refusal } from "../admission/candidate.ts";
import type { Permit } from "../admission/permit.ts";
import type { Caller } from "../calls.ts";
import { callHook, follow, LAST_WORDS, tellError } from "../calls.ts";
import type { DatagramSocket, DatagramTable } from "../contract.ts";
import { Count } from "../count.ts";
import type { Address } from "../endpoint.ts";
import { hookError, isPromise } from "../hooks.ts";
import type { RuleOptions } from "../plan.ts";
import { keep } from "../keep.ts";
import { Calls } from "../pending.ts";
import { recordArrival, recordClose, recordDatagram, recordRefusal } from "../records.ts";
import type { Service } from "../service.ts";
import { Timers } from "../timers/timers.ts";
import type { Guard } from "./guard.ts";
import { DatagramSession } from "./session.ts";
import { Work, WorkRules } from "./work.ts";

/** Of a datagram that was admitted elsewhere. */
export interface AcceptedDatagram {
  readonly id: number;
  readonly permit: Permit;
  /** See {@link Candidate.ruleOptions}. */
  readonly ruleOptions?: RuleOptions | undefined;
  readonly remote: Address;
  readonly local: Address;
  /** It has shown that it is there: {@link Session.confirm}. */
  readonly known?: boolean;
}

/** The datagram sessions of one service. */
export class DatagramPipeline {
  readonly service: Service;
  /** What an adapter calls. It asks the admission. */
  readonly table: DatagramTable;
  readonly #admission: Admission | undefined;
  readonly #live: Count;
  /** Whose hooks have returned a promise that is not settled. */
  readonly #running: Timers<Work>;
  readonly #calls: Calls<Work>;
  readonly #caller: Caller<DatagramSession>;

  readonly #guard: Guard | undefined;

  /**
   * @param admission undefined where datagrams come by {@link accept} alone.
   * @param guard where answers are limited.
   */
  constructor(service: Service, admission?: Admission, guard?: Guard) {
    this.service = service;
    this.#guard = guard;
    this.#admission = admission;
    this.#live = new Count(service.clock);
    const { limits } = service.plan;
    const rules = new WorkRules(limits, (work, reason) => this.#late(work, reason));
    this.#running = new Timers(service.clock, rules);
    this.#calls = new Calls(this.#running, limits.handler);
    const limited = limits.lifetime !== Infinity;
    this.#caller = {
      gather: service.gather,
      failed: (session, thrown) => this.#fail(session, thrown),
      left: (session) => {
        if (session.work === undefined) {
          const age = limited ? service.clock.now() - session.since : 0;
          session.work = new Work(session, this.#running.readClock() - age);
          this.#running.add(session.work);
          if (limited) this.#running.touch(session.work);
        }
        return this.#calls.left(session.work);
      },
      back: (session, call) => {
        const { work } = session;
        if (work === undefined || !this.#calls.back(work, call)) return;
        if (work.running === 0) this.#forget(session);
      },
    };
    this.table = {
      datagram: (socket, bytes, from, to) => this.#arrive(socket, bytes, from, to),
      failure: (_socket, error) => service.report(error),
    };
  }

  // RULES, LIMITS, TURN

  #arrive(socket: DatagramSocket, bytes: Uint8Array, from: Address, to: Address): void {
    const { counters, gather } = this.service;
    counters.bytesIn += bytes.length;
    counters.datagramsIn++;
    const id = this.service.nextId();
    const session = this.#guard?.session(this, [socket, from, to, bytes.length, id], false) ??
      new DatagramSession(this, socket, from, to, bytes.length, id);
    gather.enter();
    const answer = this.#admission!.admit(session);
    if (!("stage" in answer)) this.refuse(session, answer);
    else {
      session.permit = answer;
      this.#live.up();
      if (answer.granted) this.#verify(session, bytes, true);
      else session.waits(keep(bytes));
    }
    gather.leave();
  }

  /**
   * A datagram that was admitted, and counted, elsewhere.
   *
   * @param bytes are the pipeline's from here on.
   */
  accept(
    socket: DatagramSocket,
    bytes: Uint8Array,
    { remote, local, id, permit, ruleOptions, known = false }: AcceptedDatagram,
  ): void {
    const { gather } = this.service;
    const session = this.#guard?.session(this, [socket, remote, local, bytes.length, id], known) ??
      new DatagramSession(this, socket, remote, local, bytes.length, id);
    session.permit = permit;
    if (ruleOptions !== undefined) session.ruleOptions = ruleOptions;
    this.#live.up();
    gather.enter();
    this.#verify(session, bytes, false);
    gather.leave();
  }

  refuse(session: DatagramSession, why: Refusal): void {
    this.service.countRefusal(why, session);
    session.over = true;
    recordRefusal(this.service, "debug", session, why);
    this.#release(session);
  }

  // VERIFY

  /** The turn of one that waited has come. */
  admitted(session: DatagramSession, bytes: Uint8Array): void {
    const { gather } = this.service;
    gather.enter();
    this.#verify(session, bytes, false);
    gather.leave();
  }

  /** @param lent the bytes are the adapter's, and others soon. */
  #verify(session: DatagramSession, bytes: Uint8Array, lent: boolean): void {
    const { verify } = this.service;
    if (verify === undefined) return this.#setUp(session, bytes, lent);
    let answer: boolean | Promise<boolean>;
    let later: boolean;
    try {
      answer = verify(session);
      later = isPromise(answer);
    } catch (error) {
      this.#fail(session, error);
      return this.#release(session);
    }
    if (!later) return this.#decide(session, bytes, lent, answer as boolean);
    const kept = lent ? keep(bytes) : bytes;
    const decide = (answer: boolean): void => this.#decide(session, kept, false, answer);
    follow(this.#caller, session, answer as Promise<boolean>, decide, () => this.#release(session));
  }

  #decide(session: DatagramSession, bytes: Uint8Array, lent: boolean, answer: boolean): void {
    // It was refused meanwhile: that has taken too long.
    if (session.permit === undefined) return;
    if (answer === false) this.refuse(session, { rule: "verify" });
    else this.#setUp(session, bytes, lent);
  }

  // SETUP

  #setUp(session: DatagramSession, bytes: Uint8Array, lent: boolean): void {
    const { hooks, keepsDatagrams, log } = this.service;
    session.served = true;
    this.service.countServed();
    if (
      log.wants("debug", "open") || log.wants("debug", "close") || log.wants("info", "datagram")
    ) {
      session.begin();
      recordArrival(this.service, "debug", "open", session);
    }
    // Of a hook that may look at the bytes later nobody knows before it has returned.
    const copies = lent && (keepsDatagrams || hooks.setup !== undefined);
    const datagram = copies ? keep(bytes) : bytes;
    if (hooks.setup === undefined) return this.#serve(session, datagram);
    callHook(this.#caller, session, () => hooks.setup!(session as never), (state) => {
      session.state = state;
      this.#serve(session, datagram);
    }, () => this.#end(session));
  }

  // DATA | HANDLE

  #serve(session: DatagramSession, bytes: Uint8Array): void {
    const { hooks } = this.service;
    const push = hooks.datagram ?? hooks.data;
    if (push === undefined) {
      session.openReader();
      session.reader.push(bytes);
      session.closeReader();
      const done = (): void => this.#finish(session);
      return callHook(this.#caller, session, () => hooks.handle!(session), done, done);
    }
    try {
      const answer = push.call(hooks, session, bytes);
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
    // Nobody waits for it any more.
    if (session.permit === undefined) return;
    if (hooks.finish === undefined) return this.#end(session);
    const done = (): void => this.#end(session);
    callHook(this.#caller, session, () => hooks.finish!(session), done, done);
  }

  #end(session: DatagramSession): void {
    if (session.permit === undefined) return;
    session.close("done");
    const { log } = this.service;
    if (log.wants("debug", "close")) recordClose(this.service, "debug", session, session.age);
    if (log.wants("info", "datagram")) recordDatagram(this.service, session, session.age);
    this.#release(session);
  }

  /** Nothing is left of it. One that was refused at the door has never been in. */
  #release(session: DatagramSession): void {
    if (session.permit === undefined) return;
    session.permit.release();
    session.permit = undefined;
    this.#live.down();
  }

  // DEADLINE

  /** There is no way to stop a hook. One that was told, and does not come back, is not waited for. */
  #late(work: Work, reason: CutReason): void {
    const { session } = work;
    if (session.over) {
      this.#calls.giveUp(work);
      this.#forget(session);
      return session.served ? this.#finish(session) : this.#release(session);
    }
    if (reason === "handler") this.#calls.warn(work);
    if (!session.served) return this.refuse(session, { limit: reason });
    session.close(reason);
  }

  #forget(session: DatagramSession): void {
    this.#running.remove(session.work!);
    session.work = undefined;
  }

  // ERROR

  #fail(session: DatagramSession, thrown: unknown): void {
    session.reason ??= "error";
    session.cause ??= hookError(thrown);
    tellError(this.service, this.#caller, session, thrown);
  }

  /** Whose hook has not come back. */
  forEach(visit: (session: DatagramSession) => void): void {
    this.#running.forEach(({ session }) => visit(session));
  }

  cutOne(session: DatagramSession, reason: CutReason): void {
    if (session.over) return;
    if (session.served) session.close(reason);
    else this.refuse(session, { limit: reason });
  }

  // The end of the service.

  /** As {@link StreamPipeline.cut}: what is not answered by now will not be. */
  async cut(reason: string): Promise<void> {
    this.#running.forEach(({ session }) => session.close(reason));
    await this.#live.empty(LAST_WORDS);
    this.#running.stop();
  }
}
