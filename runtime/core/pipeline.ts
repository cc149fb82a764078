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
import { PAUSE, StreamSession } from "./connection.ts";
import type { Connection, StreamTable } from "./contract.ts";
import type { DeadlineName } from "./deadlines.ts";
import { Deadlines } from "./deadlines.ts";
import { PorticoError } from "./errors.ts";
import { hookError, isPromise } from "./hooks.ts";
import { recordArrival, recordClose } from "./records.ts";
import { keep } from "./keep.ts";
import type { Service } from "./service.ts";

/** How long hooks may take to come back after their sessions were closed, in ms. */
const LAST_WORDS = 1000;

/** The stream sessions of one service. */
export class Pipeline {
  readonly service: Service;
  readonly deadlines: Deadlines;
  /** What an adapter calls. */
  readonly table: StreamTable;
  /** Sessions that wait for room at the gate (`"overflow": "hold"`), in the order of arrival. */
  readonly #parked: StreamSession[] = [];
  #closing = false;

  constructor(service: Service) {
    this.service = service;
    this.deadlines = new Deadlines(service.plan.limits, (session, name) => this.#late(session, name));
    this.table = {
      open: (connection) => this.#open(connection),
      data: service.pulls ? this.#makePull() : this.#makePush(),
      end: (connection) => this.#ended(connection.data as StreamSession),
      drain: (connection) => (connection.data as StreamSession).drained(),
      close: (connection, error) => this.#close(connection.data as StreamSession, error),
      failure: (error) => service.report(error),
    };
  }

  /** Sessions that are held or served now. */
  get live(): number {
    return this.deadlines.count;
  }

  // OPEN → VERIFY: the rules by address, then the plugin's own.

  #open(connection: Connection): void {
    const { access, hooks } = this.service;
    const session = new StreamSession(this, connection, this.deadlines.readClock());
    connection.data = session;
    this.deadlines.add(session);
    if (this.#closing) return this.#refuse(session, { limit: "drain" });
    if (!access.empty) {
      const rule = access.refuses(connection.remote.host);
      if (rule !== undefined) return this.#refuse(session, { rule });
    }
    if (hooks.verify === undefined) return this.#limit(session);
    this.#step(session, () => hooks.verify!(session), (answer) => {
      if (answer === false) this.#refuse(session, { rule: "verify" });
      else this.#limit(session);
    });
  }

  // LIMIT: is there room?

  #limit(session: StreamSession): void {
    const { gate, plan } = this.service;
    const full = gate.enter(this.#sourceOf(session));
    if (full === undefined) {
      session.placed = true;
      this.#takeTurn(session);
    } else if (full === "rate" || plan.limits.overflow === "refuse") {
      this.#refuse(session, { limit: full });
    } else {
      this.#parked.push(session);
      this.#wait(session, "parked");
    }
  }

  #sourceOf(session: StreamSession): string {
    return this.service.gate.countsSources ? session.remote.host : "";
  }

  #refuse(session: StreamSession, why: { rule: string } | { limit: string }): void {
    this.service.counters.refused++;
    recordArrival(this.service, "info", "refuse", session, why);
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
    const { counters, hooks } = this.service;
    session.turn = true;
    session.phase = "setup";
    counters.served++;
    recordArrival(this.service, "info", "open", session);
    if (hooks.setup === undefined) return this.#begin(session);
    this.#step(session, () => hooks.setup!(session as never), (state) => {
      session.state = state;
      this.#begin(session);
    });
  }

  // DATA | HANDLE

  #begin(session: StreamSession): void {
    const { hooks } = this.service;
    session.owed = true;
    if (session.phase === "closed") return this.#conclude(session);
    session.phase = "served";
    session.unhush(PAUSE.phase);
    if (hooks.handle === undefined) return;
    session.openReader();
    this.#run(session, () => hooks.handle!(session), (well) => {
      if (!well || session.phase === "closed") return;
      session.phase = "ending";
      this.#conclude(session);
    });
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
    this.#settle(session, result, () => session.unhush(PAUSE.hook));
  }

  #makePull(): StreamTable["data"] {
    const { deadlines } = this;
    const { lends } = this.service;
    return (connection, chunk) => {
      const session = connection.data as StreamSession;
      session.bytesIn += chunk.length;
      session.active = deadlines.now;
      if (session.phase === "served") session.reader.push(lends ? keep(chunk) : chunk);
    };
  }

  #ended(session: StreamSession): void {
    const { hooks } = this.service;
    if (session.phase !== "served") return;
    session.reason ??= "peer";
    if (hooks.handle !== undefined) session.closeReader();
    else if (hooks.end === undefined) session.end();
    else this.#run(session, () => hooks.end!(session));
  }

  /** There is room to write again. */
  relieved(session: StreamSession): void {
    const { hooks } = this.service;
    if (session.phase !== "served" || hooks.drain === undefined) return;
    this.#run(session, () => hooks.drain!(session));
  }

  // ERROR: a hook threw, or a limit has struck. This session ends, nothing else.

  fail(session: StreamSession, thrown: unknown): void {
    const { hooks } = this.service;
    // A read, a send or a wait that ends because the session does is nobody's fault.
    if (session.over && isOver(thrown)) return;
    if (hooks.error === undefined) return this.cut(session, "error", hookError(thrown));
    this.service.counters.errors++;
    this.#run(session, () => hooks.error!(session, thrown), (well) => {
      session.reason ??= "error";
      // Setup has not come back, or the hook failed too: there is nothing to finish in order.
      if (!well || session.phase !== "served") return session.kill("error");
      session.phase = "ending";
      this.#conclude(session);
    });
  }

  /** Ends a session at once, with an `error` record where there is an error. */
  cut(session: StreamSession, reason: string, error?: PorticoError, quiet = false): void {
    if (error !== undefined) this.service.report(error, session.id);
    session.kill(reason, quiet);
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

  #conclude(session: StreamSession): void {
    if (session.running > 0) return;
    const { gate, hooks, turns } = this.service;
    if (session.owed) {
      session.owed = false;
      if (hooks.finish !== undefined) {
        return this.#run(session, () => hooks.finish!(session), () => this.#conclude(session));
      }
    }
    if (session.phase === "ending") this.#windUp(session);
    if (session.turn) {
      session.turn = false;
      session.served = true;
      turns.leave();
    }
    if (session.phase !== "closed" || session.gone) return;
    session.gone = true;
    this.deadlines.remove(session);
    if (session.served) this.#account(session);
    if (session.placed) {
      gate.leave(this.#sourceOf(session));
      this.#unpark();
    }
  }

  #account(session: StreamSession): void {
    const { counters } = this.service;
    counters.bytesIn += session.bytesIn;
    counters.bytesOut += session.bytesOut;
    const duration = this.deadlines.readClock() - session.opened;
    recordClose(this.service, "info", session, duration, session.reason);
  }

  /** Sends what was written and our end; what the peer still sends is read and dropped, for a while. */
  #windUp(session: StreamSession): void {
    session.reason ??= "done";
    session.end();
    session.seal(session.reason);
    session.active = this.deadlines.readClock();
    session.unhush(PAUSE.phase | PAUSE.hook | PAUSE.plugin | PAUSE.reader);
    this.deadlines.watch();
  }

  #unpark(): void {
    for (let i = 0; i < this.#parked.length;) {
      const session = this.#parked[i]!;
      if (session.phase === "parked") {
        if (this.service.gate.enter(this.#sourceOf(session)) !== undefined) {
          i++;
          continue;
        }
        session.placed = true;
        this.#parked.splice(i, 1);
        this.#takeTurn(session);
      } else this.#parked.splice(i, 1);
    }
  }

  // The end of the service.

  /** Resolves when no session is left; after `limit` ms those that are left are closed. */
  async drain(limit: number): Promise<void> {
    this.#closing = true;
    this.deadlines.forEach((session) => {
      if (session.waits) this.#refuse(session, { limit: "drain" });
    });
    if (await this.deadlines.empty(limit)) return;
    this.deadlines.forEach((session) => {
      session.reason ??= "drain";
      session.flush();
      session.kill("drain", true);
    });
    // Hooks that do not come back are left behind: there is no way to stop them.
    await this.deadlines.empty(LAST_WORDS);
    this.deadlines.stop();
  }

  // How a hook is called: inside the gathering of writes, followed at once or when it comes back.

  /** `then` gets the answer; a hook that throws fails the session instead. Nothing is read meanwhile. */
  #step<Answer>(
    session: StreamSession,
    hook: () => Answer | Promise<Answer>,
    then: (answer: Answer) => void,
  ): void {
    const { gather } = this.service;
    gather.enter();
    try {
      const answer = hook();
      if (isPromise(answer)) {
        session.hush(PAUSE.phase);
        this.#settle(session, answer, then);
      } else then(answer);
    } catch (error) {
      this.fail(session, error);
    }
    gather.leave();
  }

  /** `then` is told whether the hook did well; one that throws fails the session first. */
  #run(
    session: StreamSession,
    hook: () => void | Promise<void>,
    then?: (well: boolean) => void,
  ): void {
    const { gather } = this.service;
    gather.enter();
    let well = true;
    try {
      const answer = hook();
      if (isPromise(answer)) {
        this.#settle(session, answer, () => then?.(true), () => then?.(false));
        gather.leave();
        return;
      }
    } catch (error) {
      well = false;
      this.fail(session, error);
    }
    then?.(well);
    gather.leave();
  }

  #settle<Answer>(
    session: StreamSession,
    promise: Promise<Answer>,
    well: (answer: Answer) => void,
    ill?: () => void,
  ): void {
    const { gather } = this.service;
    session.running++;
    promise.then((answer) => {
      session.running--;
      gather.enter();
      well(answer);
      if (session.phase === "closed") this.#conclude(session);
      gather.leave();
    }, (error) => {
      session.running--;
      gather.enter();
      this.fail(session, error);
      ill?.();
      if (session.phase === "closed") this.#conclude(session);
      gather.leave();
    });
  }
}

/** What a plugin's own awaits throw when their session has ended under them. */
function isOver(thrown: unknown): boolean {
  if (thrown instanceof PorticoError) return thrown.code === "SESSION_CLOSED" || thrown.side === "peer";
  return thrown instanceof DOMException && thrown.name === "AbortError";
}
