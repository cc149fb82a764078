/**
 * The way of an HTTP request through one service: the steps of `pipeline.ts`, with an answer at the
 * end of each. Who is refused is told by a status: 403 by a rule, 429 for being too many from one
 * address or too many at once in time, 503 where there is no room.
 */
import type { Exchange, HttpTable } from "../exchange.ts";
import { Count } from "../count.ts";
import { LAST_WORDS } from "../stream/drain.ts";
import { PorticoError } from "../errors.ts";
import { hookError, isPromise } from "../hooks.ts";
import { Lifetime } from "./lifetime.ts";
import { recordRequest, recordResponse } from "../records.ts";
import { HttpSession } from "./session.ts";
import type { Service } from "../service.ts";
import { isEvents, streams, watched } from "./body.ts";

type Answer = Response | Promise<Response>;

/** The status that a limit is answered with; 503 where it is not here. */
const STATUS: Readonly<Record<string, number>> = { perSource: 429, rate: 429 };

/** The requests of one service. */
export class Requests {
  readonly service: Service;
  /** What an adapter calls. */
  readonly table: HttpTable;
  readonly #sessions: Set<HttpSession> = new Set();
  readonly #live: Count = new Count();
  #closing = false;
  readonly #lifetime: Lifetime;

  constructor(service: Service) {
    this.service = service;
    this.#lifetime = new Lifetime(
      service.plan.limits.lifetime,
      this.#sessions,
      (late) => void this.#finish(late, "lifetime"),
    );
    this.table = {
      request: (exchange, request) => this.#open(exchange, request),
      close: (exchange, gone) => this.#close(exchange.data as HttpSession, gone),
      failure: (error) => service.report(error),
    };
  }

  get live(): number {
    return this.#live.value;
  }

  /** Those that wait for their turn, or for room. */
  get held(): number {
    let count = 0;
    for (const session of this.#sessions) count += session.waits ? 1 : 0;
    return count;
  }

  // OPEN → VERIFY

  #open(exchange: Exchange, request: Request): Answer {
    const { access, hooks, nextId } = this.service;
    const session = new HttpSession(this, exchange, request, nextId(), performance.now());
    exchange.data = session;
    this.#sessions.add(session);
    this.#live.up();
    if (this.#closing) return this.#refuse(session, { limit: "drain" }, 503);
    if (!access.empty) {
      const rule = access.refuses(session.remote.host);
      if (rule !== undefined) return this.#refuse(session, { rule }, 403);
    }
    if (hooks.verify === undefined) return this.#limit(session);
    try {
      const answer = hooks.verify(session);
      if (!isPromise(answer)) return this.#decide(session, answer);
      return answer.then(
        (answer) => this.#decide(session, answer),
        (error) => this.#fail(session, error),
      );
    } catch (error) {
      return this.#fail(session, error);
    }
  }

  #decide(session: HttpSession, answer: boolean): Answer {
    return answer === false ? this.#refuse(session, { rule: "verify" }, 403) : this.#limit(session);
  }

  // LIMIT: is there room?

  #limit(session: HttpSession): Answer {
    if (session.over) return nobody();
    const full = this.service.gate.enter(this.#sourceOf(session));
    if (full === undefined) return this.#takeTurn(session);
    if (full === "rate" || this.service.plan.limits.overflow === "refuse") {
      return this.#refuse(session, { limit: full }, STATUS[full] ?? 503);
    }
    return this.#wait(session, () => this.service.room.parked.add(session));
  }

  /** Of one that is parked: comes in, or says what still forbids it. */
  enter(session: HttpSession): unknown {
    const full = this.service.gate.enter(this.#sourceOf(session));
    if (full !== undefined) return full;
    session.waits = false;
    session.proceed!(this.#takeTurn(session));
    return undefined;
  }

  #sourceOf({ remote }: HttpSession): string {
    return this.service.gate.countsSources ? remote.host : "";
  }

  #refuse(session: HttpSession, why: { rule: string } | { limit: string }, status: number): Answer {
    this.service.countRefusal(why);
    recordRequest(this.service, "refuse", session, why);
    session.reason ??= "refused";
    session.status = status;
    const again = status !== 403 && { headers: { "retry-after": "1" } };
    return new Response(null, { status, ...again });
  }

  // STRATEGY: is it its turn?

  #takeTurn(session: HttpSession): Answer {
    session.placed = true;
    const { turns } = this.service;
    if (turns.enter()) return this.#serve(session);
    return this.#wait(session, () => turns.wait(session));
  }

  /** For up to `limits.hold`. */
  #wait(session: HttpSession, queue: () => void): Promise<Response> {
    session.waits = true;
    const { hold } = this.service.plan.limits;
    return new Promise((resolve) => {
      const late = (): void => this.#giveUp(session, "hold");
      const timer = hold === Infinity ? undefined : setTimeout(late, hold);
      session.proceed = (answer) => {
        clearTimeout(timer);
        resolve(answer);
      };
      queue();
    });
  }

  /** What waits does so in vain. */
  #giveUp(session: HttpSession, limit: string): void {
    if (!session.waits) return;
    session.waits = false;
    session.proceed!(this.#refuse(session, { limit }, 503));
  }

  /** The turn of one that was held has come. */
  serve(session: HttpSession): void {
    session.waits = false;
    session.proceed!(this.#serve(session));
  }

  // FETCH

  #serve(session: HttpSession): Answer {
    const { counters, hooks } = this.service;
    session.turn = true;
    counters.served++;
    this.#lifetime.watch();
    recordRequest(this.service, "open", session);
    try {
      const answer = hooks.fetch!(session.request, { session });
      if (!isPromise(answer)) return this.#respond(session, answer);
      return new Promise((resolve) => {
        session.interrupt = resolve;
        answer.then(
          (response) => resolve(this.#respond(session, response)),
          (error) => resolve(this.#fail(session, error)),
        );
      });
    } catch (error) {
      return this.#fail(session, error);
    }
  }

  #respond(session: HttpSession, response: Response): Response {
    // Who asked has gone, or was answered for it.
    if (session.over || session.status !== 0) {
      void response.body?.cancel().catch(() => {});
      return nobody();
    }
    if (!(response instanceof Response)) {
      const text = `fetch has to return a Response: received ${typeof response}`;
      return this.#fail(session, new PorticoError("HOOK_FAILED", text));
    }
    session.status = response.status;
    if (!streams(response)) return response;
    session.open++;
    session.endless = isEvents(response);
    return watched(response, session, () => this.#leave(session));
  }

  #fail(session: HttpSession, thrown: unknown): Response {
    if (session.over || session.status !== 0) return nobody();
    session.reason ??= "error";
    session.status = 500;
    this.service.report(hookError(thrown), session.id);
    return new Response(null, { status: 500 });
  }

  // FINISH

  #close(session: HttpSession, gone: boolean): void {
    if (gone) {
      session.reason ??= "peer";
      session.waits = false;
      session.signalEnd("peer");
      session.cut?.("peer");
    }
    this.#leave(session);
  }

  #leave(session: HttpSession): void {
    if (session.over || --session.open > 0) return;
    session.over = true;
    const { service } = this;
    session.reason ??= "done";
    session.signalEnd(session.reason);
    service.counters.bytesOut += session.bytesOut;
    if (session.turn) {
      const durationMs = Math.floor(performance.now() - session.opened);
      service.countEnd(session.reason, durationMs);
      recordResponse(service, session, durationMs);
      service.leaveTurn(session);
    }
    this.#sessions.delete(session);
    if (this.#sessions.size === 0) this.#lifetime.stop();
    service.leave(session, session.placed ? this.#sourceOf(session) : undefined);
    this.#live.down();
  }

  // DEADLINE

  /** Aborts their signal; answers with 503 who has not been answered, and cuts what streams. */
  async #finish(sessions: readonly HttpSession[], reason: string): Promise<void> {
    for (const session of sessions) {
      session.told = true;
      session.reason ??= reason;
      session.signalEnd(reason);
    }
    // Who hears that it is over may say so itself.
    await new Promise((resolve) => setTimeout(resolve, 0));
    for (const session of sessions) {
      this.#giveUp(session, reason);
      session.cut?.(reason);
      if (session.status !== 0 || session.interrupt === undefined) continue;
      session.status = 503;
      session.interrupt(new Response(null, { status: 503 }));
    }
  }

  // The end of the service.

  /**
   * Ends streams of events, which have no end of their own, and whose peers come again. Refuses who
   * waits, unless they are to be kept, and from now on who comes. Those that are served
   * have `limit` ms; then their signal aborts with reason `drain`, and they are answered with 503.
   */
  async drain(limit: number, keep = false): Promise<void> {
    this.#closing = !keep;
    for (const session of [...this.#sessions]) {
      if (session.endless) this.#end(session);
      if (!keep) this.#giveUp(session, "drain");
    }
    if (await this.#live.empty(limit) || (!keep && !this.#closing)) return;
    await this.#finish([...this.#sessions], "drain");
    await this.#live.empty(LAST_WORDS);
  }

  #end(session: HttpSession): void {
    session.reason ??= "drain";
    session.signalEnd("drain");
    session.cut?.("drain");
  }

  /** Takes newcomers again; a drain need not go on. */
  reopen(): void {
    this.#closing = false;
    this.#live.recall();
  }
}

/** An answer that nobody is there to read. */
function nobody(): Response {
  return new Response(null, { status: 503 });
}
