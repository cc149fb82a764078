/**
 * The way of a stream through one service. Read this file first.
 *
 *     ADAPTER → open → RULES → LIMITS → TURN → (TLS) → VERIFY → SETUP → DATA | HANDLE → FINISH → SINK
 *                        │ no     │ full   │ waits, unread     │ throws → ERROR
 *                        └────────┴────────┴── refuse (with the rule's or the limit's name)
 *
 * The first three steps are `admission/`: a permit from there gives turn and place back. The others stand
 * here, from top to bottom; those of datagrams, requests and sockets that a plugin takes are in the
 * folders beside this one. What a hook answers at once is followed at once: only a promise costs one.
 */
import type { CutReason, Refusal } from "../admission/candidate.ts";
import type { Caller } from "../calls.ts";
import { callHook, follow, LAST_WORDS } from "../calls.ts";
import type { Connection, StreamTable } from "../contract.ts";
import { hookError, isOver, isSame } from "../hooks.ts";
import { Calls } from "../pending.ts";
import type { Accepted, StreamAdmission } from "./arrival.ts";
import { closed } from "./closed.ts";
import { pullData, pushData } from "./data.ts";
import { recordArrival, recordEnd, recordRefusal } from "../records.ts";
import type { Service } from "../service.ts";
import { Deadlines } from "./deadlines.ts";
import { PAUSE } from "./pause.ts";
import { Retiring } from "./retiring.ts";
import type { TlsServerContext } from "../tls.ts";
import { StreamSession } from "./session.ts";
import { strike } from "./strike.ts";

/** The stream sessions of one service. */
export class StreamPipeline {
  readonly service: Service;
  readonly deadlines: Deadlines;
  /** What an adapter calls. Its `open` asks the admission. */
  readonly table: StreamTable;
  readonly #admission: StreamAdmission | undefined;
  readonly #served: ((session: StreamSession) => void) | undefined;
  readonly #caller: Caller<StreamSession>;
  readonly #retiring: Retiring;

  /**
   * @param admission undefined where sessions come by {@link accept} alone.
   * @param served is told of each that is set up.
   */
  constructor(
    service: Service,
    admission?: StreamAdmission,
    served?: (session: StreamSession) => void,
  ) {
    this.service = service;
    this.#admission = admission;
    this.#served = served;
    this.deadlines = new Deadlines(service, (late, reason) => strike(this, calls, late, reason));
    const calls = new Calls(this.deadlines, service.plan.limits.handler);
    this.#caller = {
      gather: service.gather,
      failed: (session, thrown) => this.fail(session, thrown),
      left: (session) => {
        // Nothing is read while it is not decided who reads it.
        if (isUndecided(session)) session.pauseFor(PAUSE.phase);
        return calls.left(session);
      },
      back: (session, call) => {
        if (!calls.back(session, call)) return;
        if (session.phase === "closed" || session.phase === "ending") this.conclude(session);
      },
    };
    this.#retiring = new Retiring(service.hooks, this.#caller);
    this.table = {
      open: (connection) => this.#open(connection),
      data: service.pulls ? pullData(this) : pushData(this),
      end: (connection) => this.#ended(connection.data as StreamSession),
      drain: (connection) => (connection.data as StreamSession).drained(),
      close: (connection, error) => closed(this, connection.data as StreamSession, error),
      secured: (connection) => (connection.data as StreamSession).handshake?.done(connection),
      failure: (error) => service.report(error),
    };
    service.totals.meters.add(this.deadlines);
  }

  // OPEN → RULES, LIMITS, TURN

  /** What an adapter calls with streams that speak TLS; see `handshake/`. */
  securing(context: TlsServerContext): StreamTable {
    const open: StreamTable["open"] = (connection) => this.#open(connection, context);
    return { ...this.table, upgrades: true, open };
  }

  #open(connection: Connection, tls?: TlsServerContext): void {
    const session = this.#begin(connection, this.service.nextId());
    const handshake = tls && this.service.handshakes!.await(session, tls);
    const answer = this.#admission!.admit(session);
    if (!("granted" in answer)) return this.refuse(session, answer);
    session.permit = answer;
    if (!answer.granted) session.pauseFor(PAUSE.phase);
    else if (handshake === undefined) this.verify(session);
    else handshake.enter();
  }

  /** A connection that is served without being asked for here. For the `open` of a table of one's own. */
  accept(
    connection: Connection,
    { id, permit, state, held, ruleOptions, tls }: Accepted,
  ): StreamSession {
    const session = this.#begin(connection, id);
    session.permit = permit;
    if (ruleOptions !== undefined) session.ruleOptions = ruleOptions;
    session.state = state;
    if (tls !== undefined) this.service.handshakes!.await(session, tls).enter();
    else if (held === undefined) this.verify(session);
    else this.#setUp(session, held);
    return session;
  }

  #begin(connection: Connection, id: number): StreamSession {
    const session = new StreamSession(this, connection, id, this.deadlines.readClock());
    connection.data = session;
    this.deadlines.add(session);
    return session;
  }

  refuse(session: StreamSession, why: Refusal): void {
    this.service.countRefusal(why, session);
    recordRefusal(this.service, this.service.level, session, why);
    const { banners } = this.service;
    // Nobody who is to hear TLS is spoken to in clear.
    if (banners !== undefined && session.handshake === undefined) {
      if (banners.dismiss(session, why, this.deadlines.readClock())) return;
    }
    session.kill("refused", !this.service.resets(why));
  }

  // VERIFY: the plugin's own question. Its turn has come.

  verify(session: StreamSession): void {
    const { verify, certificates } = this.service;
    session.phase = "verify";
    const barred = certificates?.refusal(session);
    if (barred !== undefined) return this.refuse(session, barred);
    if (verify === undefined) return this.#setUp(session);
    this.deadlines.touch(session);
    callHook(this.#caller, session, () => verify(session), (answer) => {
      // It has ended while verify was asked.
      if (session.over) return;
      if (answer === false) this.refuse(session, { rule: "verify" });
      else this.#setUp(session);
    });
  }

  // SETUP. Here `open` is recorded.

  #setUp(session: StreamSession, held?: Promise<void>): void {
    const { hooks } = this.service;
    session.phase = "setup";
    session.served = true;
    this.deadlines.touch(session);
    this.service.countServed();
    recordArrival(this.service, this.service.level, "open", session);
    // When it has gone, nobody knows any more where it was, and came to, unless somebody has asked before.
    if (this.service.asksLater) void (session.remote, session.local);
    this.service.banners?.greet(session);
    if (held !== undefined) {
      return callHook(this.#caller, session, () => held, () => this.#serve(session));
    }
    if (hooks.setup === undefined) return this.#serve(session);
    callHook(this.#caller, session, () => hooks.setup!(session as never), (state) => {
      session.state = state;
      this.#serve(session);
    });
  }

  // DATA | HANDLE

  #serve(session: StreamSession): void {
    const { hooks } = this.service;
    session.finishDue = true;
    if (session.over) return this.conclude(session);
    session.phase = "served";
    session.resumeFor(PAUSE.phase);
    this.#served?.(session);
    if (this.service.pulls) session.openReader();
    if (hooks.handle !== undefined) {
      callHook(this.#caller, session, () => hooks.handle!(session), () => this.endInOrder(session));
    }
    this.#retiring.comes(session);
  }

  /** Reading waits for a promise that `data` returned. */
  waitFor(session: StreamSession, result: Promise<void>): void {
    session.pauseFor(PAUSE.hook);
    follow(this.#caller, session, result, () => session.resumeFor(PAUSE.hook));
  }

  #ended(session: StreamSession): void {
    const { hooks, pulls } = this.service;
    session.peerEnded = true;
    if (session.phase !== "served") return;
    session.reason ??= "peer";
    if (session.way !== undefined) session.way.end();
    else if (pulls) session.closeReader();
    else if (hooks.end === undefined) session.end();
    else callHook(this.#caller, session, () => hooks.end!(session));
  }

  /** There is room to write again. */
  writable(session: StreamSession): void {
    const { hooks } = this.service;
    if (session.way !== undefined) return session.way.back.writable();
    if (session.phase !== "served" || hooks.drain === undefined) return;
    callHook(this.#caller, session, () => hooks.drain!(session));
  }

  /** See {@link Retiring}. */
  retire(on: boolean): void {
    this.#retiring.set(on, this.deadlines);
  }

  // ERROR: a hook threw, or a limit has struck. This session ends, nothing else.

  fail(session: StreamSession, thrown: unknown): void {
    const { hooks } = this.service;
    // A read, a send or a wait that ends because the session does is nobody's fault.
    if (session.over && isOver(thrown)) return;
    const error = hookError(thrown);
    session.cause ??= error;
    if (hooks.error === undefined || session.failed) {
      this.service.report(error, session.id, session.failed && isSame(error, session.cause));
      session.endsFor("error");
      return this.#endAfterError(session);
    }
    session.failed = true;
    this.service.countError(error);
    session.endsFor("error");
    callHook(
      this.#caller,
      session,
      () => hooks.error!(session, thrown),
      () => this.#endAfterError(session),
    );
  }

  /** What was written so far, an answer mostly, goes out; before setup has come back there is nothing to end in order. */
  #endAfterError(session: StreamSession): void {
    if (session.phase === "served") this.endInOrder(session);
    else if (isUndecided(session)) session.kill("error");
  }

  /** What was written is sent. Whoever was not let in yet has no `close` that could say why. */
  cutOne(session: StreamSession, reason: CutReason): void {
    if (session.phase === "verify" || session.phase === "handshake") {
      return this.refuse(session, { limit: reason });
    }
    if (session.phase === "closed") return this.leave(session);
    session.reason ??= reason;
    session.flush();
    session.kill(reason, true);
  }

  // FINISH: when the connection has closed, or `handle` has returned. Each step is taken once.

  /** All that came has been read. */
  exhausted(session: StreamSession): void {
    if (session.phase === "closed" && !session.gone) this.leave(session);
  }

  /** Nothing is left but hooks that have not come back. */
  leave(session: StreamSession): void {
    session.gone = true;
    session.signalEnd(session.reason!);
    this.conclude(session);
  }

  /** `handle`, or `error`, has returned: what was written is sent before the end. */
  endInOrder(session: StreamSession): void {
    if (session.phase !== "served") return;
    session.phase = "ending";
    this.conclude(session);
  }

  conclude(session: StreamSession): void {
    const { hooks, pulls } = this.service;
    if (session.gone && (pulls || session.running === 0)) session.tellClosed();
    if (session.running > 0) return;
    if (session.phase === "closed" && !session.gone) {
      // Without hooks whoever has connected it reads on; when `handle` has returned nobody does.
      return hooks.handle === undefined ? undefined : this.leave(session);
    }
    if (session.finishDue) {
      session.finishDue = false;
      if (hooks.finish !== undefined) {
        const goOn = (): void => this.conclude(session);
        return callHook(this.#caller, session, () => hooks.finish!(session), goOn, goOn);
      }
    }
    if (session.phase === "ending") {
      session.finishWriting(this.deadlines.readClock());
      this.deadlines.touch(session);
      return session.permit.returnTurn();
    }
    if (!this.deadlines.remove(session)) return;
    session.settle(this.service.counters);
    const age = this.deadlines.readClock() - session.opened;
    if (session.served) recordEnd(this.service, session, age);
    session.permit.release();
  }

  /** Ends who is left: what was written is sent. Resolves when they are over, or their hooks do not come back. */
  async cut(reason: CutReason): Promise<void> {
    this.deadlines.forEach((session) => this.cutOne(session, reason));
    await this.deadlines.empty(LAST_WORDS);
    this.deadlines.stop();
  }
}

/** Whether it is not decided yet who reads it, if it is served at all. */
function isUndecided({ phase }: StreamSession): boolean {
  return phase === "verify" || phase === "setup";
}
