/**
 * The way of a stream whose plugin takes the socket itself, hook `take`: the steps of `pipeline.ts`,
 * with a descriptor where a connection is there.
 *
 *     ADAPTER → arrive → VERIFY → LIMIT → STRATEGY → SETUP → TAKE → FINISH → SINK
 *
 * Nothing of what goes through is seen here. So `idle`, `firstByte` and `writeBuffer` have no
 * meaning, and no bytes are counted; `hold` and `lifetime` are kept.
 */
import type { Caller } from "../calls.ts";
import { callHook } from "../calls.ts";
import { Count } from "../count.ts";
import type { AdmitTable, Descriptors, Origin } from "../descriptors.ts";
import { LAST_WORDS } from "../stream/drain.ts";
import { hookError, isOver, ownFields } from "../hooks.ts";
import type { LimitName } from "../admission/limits.ts";
import { recordArrival, recordEnd } from "../records.ts";
import type { Service } from "../service.ts";
import { TakenSession } from "./session.ts";

/** The sessions of one service whose sockets its plugin takes. */
export class Takings {
  readonly service: Service;
  /** What an adapter calls. */
  readonly table: AdmitTable;
  readonly #descriptors: Pick<Descriptors, "blocking" | "close">;
  readonly #caller: Caller<TakenSession>;
  readonly #sessions: Set<TakenSession> = new Set();
  readonly #live: Count = new Count();
  #closing = false;

  constructor(service: Service, descriptors: Pick<Descriptors, "blocking" | "close">) {
    this.service = service;
    this.#descriptors = descriptors;
    this.#caller = {
      gather: service.gather,
      failed: (session, thrown) => this.#fail(session, thrown),
    };
    this.table = {
      arrive: (fd, origin) => this.arrive(fd, origin),
      failure: (error) => service.report(error),
    };
  }

  /** Sessions that are held or served now. */
  get live(): number {
    return this.#live.value;
  }

  /** Those of them that wait for their turn, or for room. */
  get held(): number {
    return [...this.#sessions].filter((session) => session.waits).length;
  }

  /**
   * A peer has connected: VERIFY. The descriptor is ours from here on.
   *
   * @param id the session's number, where it has one already.
   */
  arrive(fd: number, origin: Origin, id: number = this.service.nextId()): void {
    const { access, hooks } = this.service;
    const session = new TakenSession(this, fd, origin, id);
    this.#sessions.add(session);
    this.#live.up();
    if (this.#closing) return this.#refuse(session, { limit: "drain" });
    const rule = access.empty ? undefined : access.refuses(origin.remote.host);
    if (rule !== undefined) return this.#refuse(session, { rule });
    if (hooks.verify === undefined) return this.#limit(session);
    const failed = (): void => this.#close(session);
    callHook(this.#caller, session, () => hooks.verify!(session), (answer) => {
      if (answer === false) this.#refuse(session, { rule: "verify" });
      else this.#limit(session);
    }, failed);
  }

  // LIMIT

  #limit(session: TakenSession): void {
    if (session.over) return this.#close(session);
    const full = this.enter(session);
    if (full === undefined) return;
    if (full === "rate" || this.service.plan.limits.overflow === "refuse") {
      return this.#refuse(session, { limit: full });
    }
    this.service.room.parked.add(session);
    this.#wait(session, "parked");
  }

  /** Lets a session in when there is room, else answers with what forbids it. */
  enter(session: TakenSession): LimitName | undefined {
    const full = this.service.gate.enter(session.source);
    if (full !== undefined) return full;
    session.placed = true;
    session.rest();
    // STRATEGY: is it its turn?
    if (this.service.turns.enter()) this.serve(session);
    else {
      this.#wait(session, "held");
      this.service.turns.wait(session);
    }
    return undefined;
  }

  #refuse(session: TakenSession, why: { rule: string } | { limit: string }): void {
    this.service.countRefusal(why);
    recordArrival(this.service, this.service.level, "refuse", session, why);
    session.finish("refused");
    this.#close(session);
  }

  #wait(session: TakenSession, phase: "parked" | "held"): void {
    session.phase = phase;
    const { hold } = this.service.plan.limits;
    session.limit(hold, () => this.#refuse(session, { limit: "hold" }));
  }

  // SETUP

  serve(session: TakenSession): void {
    const { hooks, plan } = this.service;
    session.turn = true;
    session.phase = "setup";
    session.limit(plan.limits.lifetime, () => session.finish("lifetime"));
    this.service.countServed();
    recordArrival(this.service, this.service.level, "open", session);
    if (hooks.setup === undefined) return this.#take(session);
    const failed = (): void => this.#close(session);
    callHook(this.#caller, session, () => hooks.setup!(session as never), (state) => {
      session.state = state;
      this.#take(session);
    }, failed);
  }

  // TAKE

  #take(session: TakenSession): void {
    const { hooks } = this.service;
    // It has ended while setup ran.
    if (session.over) return this.#finish(session);
    session.phase = "served";
    const take = (): ReturnType<NonNullable<typeof hooks.take>> => {
      this.#descriptors.blocking(session.fd);
      return hooks.take!(session, session.fd);
    };
    const done = (): void => this.#finish(session);
    callHook(this.#caller, session, take, (fields) => {
      if (fields !== undefined) session.found = ownFields(fields, ["durationMs", "reason"]);
      done();
    }, done);
  }

  // ERROR

  #fail(session: TakenSession, thrown: unknown): void {
    const { service } = this;
    const { hooks } = service;
    if (session.over && isOver(thrown)) return;
    session.reason ??= "error";
    if (hooks.error === undefined) return service.report(hookError(thrown), session.id);
    service.countError(hookError(thrown));
    // What the hook throws itself is only reported.
    const reporter: Caller<TakenSession> = {
      gather: service.gather,
      failed: (_session, error) => service.report(hookError(error), session.id),
    };
    callHook(reporter, session, () => hooks.error!(session, thrown));
  }

  // FINISH

  #finish(session: TakenSession): void {
    const { hooks } = this.service;
    session.finish("done");
    if (hooks.finish === undefined) return this.#close(session);
    const done = (): void => this.#close(session);
    callHook(this.#caller, session, () => hooks.finish!(session), done, done);
  }

  #close(session: TakenSession): void {
    if (!this.#sessions.delete(session)) return;
    session.finish("done");
    session.rest();
    session.phase = "closed";
    this.#descriptors.close(session.fd);
    if (session.turn) {
      this.service.leaveTurn(session);
      recordEnd(this.service, session, session.age, session.found);
    }
    this.service.leave(session, session.placed ? session.source : undefined);
    this.#live.down();
  }

  // The end of the service.

  /**
   * As {@link Pipeline.drain}: after `limit` ms the `signal` of those that are left aborts with reason
   * `drain`. It resolves when their hooks have come back, or do not: there is no way to stop them.
   */
  async drain(limit: number, keep = false): Promise<void> {
    this.#closing = !keep;
    const refuse = (session: TakenSession): void => {
      if (session.waits) this.#refuse(session, { limit: "drain" });
    };
    if (!keep) [...this.#sessions].forEach(refuse);
    if (await this.#live.empty(limit)) return;
    // It was reopened meanwhile.
    if (!keep && !this.#closing) return;
    for (const session of [...this.#sessions]) {
      refuse(session);
      session.finish("drain");
    }
    await this.#live.empty(LAST_WORDS);
  }

  /** Takes newcomers again, after a drain. */
  reopen(): void {
    this.#closing = false;
    this.#live.recall();
  }
}
