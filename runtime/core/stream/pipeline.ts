/**
 * The way of a session through one service. Read this file first.
 *
 *     ADAPTER → open → VERIFY → LIMIT → STRATEGY → SETUP → DATA | HANDLE → FINISH → SINK
 *                        │ no      │ full    │ not its turn: held, unread        │ throws → ERROR
 *                        └─────────┴── refuse (with the rule's name)
 *
 * Streams walk it here, from top to bottom; datagrams, which have no open and no close, in
 * `packets.ts`. What a hook answers at once is followed at once: only a promise costs one.
 */
import type { Caller } from "../calls.ts";
import { callHook, follow } from "../calls.ts";
import { PAUSE, StreamSession } from "./session.ts";
import type { Connection, StreamTable } from "../contract.ts";
import type { DeadlineName } from "./deadlines.ts";
import { Deadlines } from "./deadlines.ts";
import { drainSessions } from "./drain.ts";
import { PorticoError } from "../errors.ts";
import { hookError, isOver, isPromise } from "../hooks.ts";
import type { LimitName } from "../admission/limits.ts";
import { recordArrival, recordEnd } from "../records.ts";
import { keep } from "../keep.ts";
import type { Service } from "../service.ts";

/** The stream sessions of one service. */
export class Pipeline {
  readonly service: Service;
  readonly deadlines: Deadlines;
  /** What an adapter calls. */
  readonly table: StreamTable;
  readonly #caller: Caller<StreamSession>;
  #closing = false;

  constructor(service: Service) {
    this.service = service;
    this.deadlines = new Deadlines(
      service.plan.limits,
      (session, name) => this.#late(session, name),
    );
    this.#caller = {
      gather: service.gather,
      failed: (session, thrown) => this.fail(session, thrown),
      left: (session) => {
        session.running++;
        // Nothing is read while it is not decided who reads it.
        if (session.phase === "asked" || session.phase === "setup") session.hush(PAUSE.phase);
      },
      back: (session) => {
        session.running--;
        if (session.phase === "closed" || session.phase === "ending") this.#conclude(session);
      },
    };
    this.table = {
      open: (connection) => this.#open(connection),
      data: service.pulls ? this.#makePull() : this.#makePush(),
      end: (connection) => this.#ended(connection.data as StreamSession),
      drain: (connection) => (connection.data as StreamSession).drained(),
      close: (connection, error) => this.#close(connection.data as StreamSession, error),
      failure: (error) => service.report(error),
    };
    service.room.meters.add(this.deadlines);
  }

  // OPEN → VERIFY: the rules by address, then the plugin's own.

  #open(connection: Connection): void {
    const { access, hooks } = this.service;
    // Who was sent here, by descriptor, has its number already.
    const id = connection.data as number | undefined ?? this.service.nextId();
    const session = new StreamSession(this, connection, id, this.deadlines.readClock());
    connection.data = session;
    this.deadlines.add(session);
    if (this.#closing) return this.#refuse(session, { limit: "drain" });
    if (!access.empty) {
      const rule = access.refuses(connection.remote.host);
      if (rule !== undefined) return this.#refuse(session, { rule });
    }
    if (hooks.verify === undefined) return this.#limit(session);
    callHook(this.#caller, session, () => hooks.verify!(session), (answer) => {
      if (answer === false) this.#refuse(session, { rule: "verify" });
      else this.#limit(session);
    });
  }

  // LIMIT: is there room?

  #limit(session: StreamSession): void {
    // It has ended while verify was asked.
    if (session.over) return;
    const full = this.enter(session);
    if (full === undefined) return;
    if (full === "rate" || this.service.plan.limits.overflow === "refuse") {
      return this.#refuse(session, { limit: full });
    }
    this.service.room.parked.add(session);
    this.#wait(session, "parked");
  }

  enter(session: StreamSession): LimitName | undefined {
    const full = this.service.gate.enter(session.source);
    if (full !== undefined) return full;
    session.placed = true;
    this.#takeTurn(session);
    return undefined;
  }

  #refuse(session: StreamSession, why: { rule: string } | { limit: string }): void {
    this.service.countRefusal(why);
    recordArrival(this.service, this.service.level, "refuse", session, why);
    session.kill("refused", true);
  }

  // STRATEGY: is it its turn?

  #takeTurn(session: StreamSession): void {
    const { turns } = this.service;
    if (turns.enter()) return this.serve(session);
    this.#wait(session, "held");
    turns.wait(session);
  }

  #wait(session: StreamSession, phase: "parked" | "held"): void {
    session.phase = phase;
    session.hush(PAUSE.phase);
    this.deadlines.watch();
  }

  // SETUP. Here `open` is recorded: the session has its turn.

  serve(session: StreamSession): void {
    const { hooks } = this.service;
    session.turn = true;
    session.phase = "setup";
    this.service.countServed();
    recordArrival(this.service, this.service.level, "open", session);
    if (hooks.setup === undefined) return this.#begin(session);
    callHook(this.#caller, session, () => hooks.setup!(session as never), (state) => {
      session.state = state;
      this.#begin(session);
    });
  }

  // DATA | HANDLE

  #begin(session: StreamSession): void {
    const { hooks } = this.service;
    session.owed = true;
    if (session.over) return this.#conclude(session);
    session.phase = "served";
    session.unhush(PAUSE.phase);
    if (hooks.handle === undefined) return;
    session.openReader();
    callHook(this.#caller, session, () => hooks.handle!(session), () => this.#endInOrder(session));
  }

  #makePush(): StreamTable["data"] {
    const { gather, hooks } = this.service;
    const { deadlines } = this;
    return (connection, chunk) => {
      const session = connection.data as StreamSession;
      session.bytesIn += chunk.length;
      session.active = deadlines.now;
      if (session.phase !== "served") return;
      gather.enter();
      try {
        const result = hooks.data!(session, chunk);
        if (result !== undefined && isPromise(result)) this.#waitFor(session, result);
      } catch (error) {
        this.fail(session, error);
      }
      gather.leave();
    };
  }

  /** Reading waits for a promise that `data` returned. */
  #waitFor(session: StreamSession, result: Promise<void>): void {
    session.hush(PAUSE.hook);
    follow(this.#caller, session, result, () => session.unhush(PAUSE.hook));
  }

  #makePull(): StreamTable["data"] {
    const { deadlines } = this;
    const { lends } = this.service;
    return (connection, chunk) => {
      const session = connection.data as StreamSession;
      session.bytesIn += chunk.length;
      session.active = deadlines.now;
      if (session.phase === "served") session.feed(lends ? keep(chunk) : chunk);
    };
  }

  #ended(session: StreamSession): void {
    const { hooks } = this.service;
    if (session.phase !== "served") return;
    session.reason ??= "peer";
    if (hooks.handle !== undefined) session.closeReader();
    else if (hooks.end === undefined) session.end();
    else callHook(this.#caller, session, () => hooks.end!(session));
  }

  /** There is room to write again. */
  relieved(session: StreamSession): void {
    const { hooks } = this.service;
    if (session.phase !== "served" || hooks.drain === undefined) return;
    callHook(this.#caller, session, () => hooks.drain!(session));
  }

  // ERROR: a hook threw, or a limit has struck. This session ends, nothing else.

  fail(session: StreamSession, thrown: unknown): void {
    const { hooks } = this.service;
    // A read, a send or a wait that ends because the session does is nobody's fault.
    if (session.over && isOver(thrown)) return;
    if (hooks.error === undefined || session.failed) {
      return this.cut(session, "error", hookError(thrown));
    }
    session.failed = true;
    this.service.countError(hookError(thrown));
    session.blame("error");
    callHook(this.#caller, session, () => hooks.error!(session, thrown), () => {
      // Before setup has come back there is nothing to end in order.
      if (session.phase === "served") this.#endInOrder(session);
      else session.kill("error");
    });
  }

  /** Ends a session at once, with an `error` record. */
  cut(session: StreamSession, reason: string, error: PorticoError): void {
    this.service.report(error, session.id);
    session.kill(reason);
  }

  #late(session: StreamSession, deadline: DeadlineName): void {
    if (deadline === "hold") return this.#refuse(session, { limit: "hold" });
    session.flush();
    session.kill(deadline, true);
  }

  // FINISH: when the connection has closed, or `handle` has returned. Each step is taken once.

  #close(session: StreamSession, error: PorticoError | undefined): void {
    session.phase = "closed";
    session.reason ??= error === undefined ? "peer" : "reset";
    if (error !== undefined && error.side !== "peer") this.service.report(error, session.id);
    session.seal(session.reason);
    session.closeReader(error ?? new PorticoError("SESSION_CLOSED"));
    this.#conclude(session);
  }

  /** `handle`, or `error`, has returned: what was written is sent before the end. */
  #endInOrder(session: StreamSession): void {
    if (session.phase !== "served") return;
    session.phase = "ending";
    this.#conclude(session);
  }

  #conclude(session: StreamSession): void {
    if (session.running > 0) return;
    const { hooks } = this.service;
    if (session.owed) {
      session.owed = false;
      if (hooks.finish !== undefined) {
        const goOn = (): void => this.#conclude(session);
        return callHook(this.#caller, session, () => hooks.finish!(session), goOn, goOn);
      }
    }
    if (session.phase === "ending") {
      session.windUp(this.deadlines.readClock());
      this.deadlines.watch();
    }
    if (session.turn) {
      session.turn = false;
      session.served = true;
      this.service.leaveTurn(session);
    }
    if (session.phase !== "closed" || session.gone) return;
    session.gone = true;
    session.settle(this.service.counters);
    this.deadlines.remove(session);
    const age = this.deadlines.readClock() - session.opened;
    if (session.served) recordEnd(this.service, session, age);
    this.service.leave(session, session.placed ? session.source : undefined);
  }

  // The end of the service.

  /** See {@link drainSessions}. Who waits, and who comes from now on, is refused, unless it is to `keep` them. */
  drain(limit: number, keep = false): Promise<void> {
    this.#closing = !keep;
    const refuse = (waiting: StreamSession): void => this.#refuse(waiting, { limit: "drain" });
    const goOn = (): boolean => !keep && !this.#closing;
    return drainSessions(this.deadlines, keep ? () => {} : refuse, limit, goOn);
  }

  /** Takes newcomers again, after a drain. */
  reopen(): void {
    this.#closing = false;
  }
}
