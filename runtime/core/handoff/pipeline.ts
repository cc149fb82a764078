/**
 * The way of a stream whose plugin takes the socket itself, hook `take`: the steps of
 * `stream/pipeline.ts`, with a descriptor where a connection is there.
 *
 *     ADAPTER → arrive → RULES → LIMITS → TURN → VERIFY → SETUP → TAKE → FINISH → SINK
 *
 * Nothing of what goes through is seen here. So `idle`, `firstByte`, `progress` and `writeBuffer` have no
 * meaning, and bytes are counted at the end, over TCP alone; `wait`, `lifetime` and `handler` are kept.
 */
import type { Admission } from "../admission/admission.ts";
import type { CutReason, Refusal } from "../admission/candidate.ts";
import type { Caller } from "../calls.ts";
import { callHook, LAST_WORDS, tellError } from "../calls.ts";
import type { AdmitTable, Descriptors, Origin } from "../descriptors.ts";
import { checkAnswer, hookError, isOver, takenFields } from "../hooks.ts";
import { Calls, dueOfCalls } from "../pending.ts";
import type { Limits } from "../plan.ts";
import type { Fields } from "../record.ts";
import { recordArrival, recordEnd, recordRefusal } from "../records.ts";
import type { Service } from "../service.ts";
import type { Accepted } from "../stream/arrival.ts";
import { Timers } from "../timers/timers.ts";
import { NOWHERE } from "../timers/wheel.ts";
import { countBytes } from "../totals.ts";
import { HandoffSession } from "./session.ts";

type Used = "adopt" | "blocking" | "close" | "reset" | "send" | "spawn" | "traffic";

/** The sessions of one service whose sockets its plugin takes. */
export class HandoffPipeline {
  readonly service: Service;
  /** What an adapter calls. It asks the admission. */
  readonly table: AdmitTable;
  readonly #admission: Admission | undefined;
  readonly #descriptors: Pick<Descriptors, Used>;
  readonly #caller: Caller<HandoffSession>;
  /** Those that are live, with their deadlines. */
  readonly timers: Timers<HandoffSession>;
  readonly #calls: Calls<HandoffSession>;

  /** @param admission undefined where sockets come by {@link accept} alone. */
  constructor(
    service: Service,
    descriptors: Pick<Descriptors, Used>,
    admission?: Admission,
  ) {
    this.service = service;
    this.#admission = admission;
    this.#descriptors = descriptors;
    const { limits } = service.plan;
    this.timers = new Timers(service.clock, {
      due: (session) => Math.min(lifetimeOf(session, limits), handlerOf(session, limits)),
      strike: (session) => {
        const handler = handlerOf(session, limits) < lifetimeOf(session, limits);
        this.#late(session, handler ? "handler" : "lifetime");
      },
    });
    this.#calls = new Calls(this.timers, limits.handler);
    this.#caller = {
      gather: service.gather,
      failed: (session, thrown) => this.#fail(session, thrown),
      left: (session) => this.#calls.left(session),
      back: (session, call) => void this.#calls.back(session, call),
    };
    this.table = {
      arrive: (fd, origin) => this.#arrive(fd, origin),
      failure: (error) => service.report(error),
    };
  }

  // ARRIVE → RULES, LIMITS, TURN. The descriptor is ours from here on.

  #arrive(fd: number, origin: Origin): void {
    const session = this.#begin(fd, origin, this.service.nextId());
    const answer = this.#admission!.admit(session);
    if (!("stage" in answer)) return this.refuse(session, answer);
    session.permit = answer;
    if (answer.granted) this.verify(session);
  }

  /** A socket that was admitted elsewhere; the descriptor is ours from here on. */
  accept(
    fd: number,
    origin: Origin,
    { id, permit, ruleOptions }: Pick<Accepted, "id" | "permit" | "ruleOptions">,
  ): void {
    const session = this.#begin(fd, origin, id);
    session.permit = permit;
    if (ruleOptions !== undefined) session.ruleOptions = ruleOptions;
    this.verify(session);
  }

  #begin(fd: number, origin: Origin, id: number): HandoffSession {
    const session = new HandoffSession(this, fd, origin, id, this.timers.readClock());
    this.timers.add(session);
    return session;
  }

  refuse(session: HandoffSession, why: Refusal): void {
    this.service.countRefusal(why, session);
    recordRefusal(this.service, this.service.level, session, why);
    session.finish("refused");
    const { banners } = this.service;
    const dismissed = banners?.dismissSocket(this.#descriptors, session, why) === true;
    if (!dismissed && this.service.resets(why)) this.#descriptors.reset(session.fd);
    else if (!dismissed) this.#descriptors.close(session.fd);
    session.fd = -1;
    this.#close(session);
  }

  // VERIFY

  verify(session: HandoffSession): void {
    const { verify } = this.service;
    session.begun = true;
    this.timers.touch(session);
    if (verify === undefined) return this.#setUp(session);
    const failed = (): void => this.#close(session);
    callHook(this.#caller, session, () => verify(session), (answer) => {
      // It was refused, or has ended, while verify was asked.
      if (session.over) this.#close(session);
      else if (answer === false) this.refuse(session, { rule: "verify" });
      else this.#setUp(session);
    }, failed);
  }

  // SETUP

  #setUp(session: HandoffSession): void {
    const { hooks } = this.service;
    session.served = true;
    this.service.countServed();
    recordArrival(this.service, this.service.level, "open", session);
    this.service.banners?.greetSocket(this.#descriptors, session);
    if (hooks.setup === undefined) return this.#take(session);
    const failed = (): void => this.#close(session);
    callHook(this.#caller, session, () => hooks.setup!(session as never), (state) => {
      session.state = state;
      this.#take(session);
    }, failed);
  }

  // TAKE

  #take(session: HandoffSession): void {
    const { hooks } = this.service;
    // It has ended while setup ran.
    if (session.over) return this.#finish(session);
    const take = (): Fields | Promise<Fields> => {
      const { spawn } = this.#descriptors;
      this.#descriptors.blocking(session.fd);
      return checkAnswer(hooks.take!(session, session.fd, spawn), takenFields);
    };
    const done = (): void => this.#finish(session);
    callHook(this.#caller, session, take, (fields) => {
      session.found = fields;
      done();
    }, done);
  }

  // ERROR

  #fail(session: HandoffSession, thrown: unknown): void {
    if (session.over && isOver(thrown)) return;
    session.reason ??= "error";
    session.cause ??= hookError(thrown);
    tellError(this.service, this.#caller, session, thrown);
  }

  // FINISH

  #finish(session: HandoffSession): void {
    const { hooks } = this.service;
    session.finish("done");
    if (hooks.finish === undefined) return this.#close(session);
    const done = (): void => this.#close(session);
    callHook(this.#caller, session, () => hooks.finish!(session), done, done);
  }

  #close(session: HandoffSession): void {
    if (session.slot === NOWHERE) return;
    session.finish("done");
    session.close();
    if (session.served) this.#countBytes(session);
    if (session.fd >= 0) this.#descriptors.close(session.fd);
    if (session.served) recordEnd(this.service, session, session.age, session.found);
    session.permit.release();
    this.timers.remove(session);
  }

  /** Who took the socket has read and written past us; of TCP the kernel has counted. */
  #countBytes(session: HandoffSession): void {
    const traffic = this.#descriptors.traffic(session.fd);
    if (traffic === undefined) return;
    session.found = { ...traffic, ...session.found };
    countBytes(this.service.counters, traffic.bytesIn, traffic.bytesOut);
  }

  // The end of the service.

  /** A hook that was told, and does not come back, is not waited for. */
  #late(session: HandoffSession, reason: CutReason): void {
    if (!session.over) {
      if (reason === "handler") this.#calls.warn(session);
      return this.cutOne(session, reason);
    }
    this.#calls.giveUp(session);
    if (session.served) this.#finish(session);
    else this.#close(session);
  }

  /** Tells the hook that it has to end. Of whom `verify` has not decided yet is refused. */
  cutOne(session: HandoffSession, reason: CutReason): void {
    if (session.served) session.finish(reason);
    else this.refuse(session, { limit: reason });
  }

  /**
   * As {@link StreamPipeline.cut}: the `signal` of those that are left aborts. It resolves when their
   * hooks have come back, or do not: there is no way to stop them.
   */
  async cut(reason: CutReason): Promise<void> {
    this.timers.forEach((session) => this.cutOne(session, reason));
    await this.timers.empty(LAST_WORDS);
    this.timers.stop();
  }
}

function lifetimeOf({ begun, over, opened }: HandoffSession, { lifetime }: Limits): number {
  return begun && !over ? opened + lifetime : Infinity;
}

function handlerOf({ calls }: HandoffSession, { handler }: Limits): number {
  return calls === undefined ? Infinity : dueOfCalls(calls, handler);
}
