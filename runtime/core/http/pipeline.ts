/**
 * The way of an HTTP request through one service: the steps of `stream/pipeline.ts`, with an answer at
 * the end of each. Who is refused is told by a status: 403 by a rule, 429 for being too many from one
 * address or too many at once in time, 503 where there is no room.
 */
import type { Admission } from "../admission/admission.ts";
import type { CutReason, Refusal } from "../admission/candidate.ts";
import { LAST_WORDS } from "../calls.ts";
import type { BodyFailure, HttpTable } from "../exchange.ts";
import { hookError, isPromise } from "../hooks.ts";
import { recordRequest, recordResponse, wantsRequests } from "../records.ts";
import type { HttpMeter } from "../metering/http.ts";
import type { Service } from "../service.ts";
import { countBytes } from "../totals.ts";
import { checkResponse, nobody, STATUS } from "./answer.ts";
import { isEvents, watched } from "./body.ts";
import { cutConnection, HttpDeadlines } from "./deadlines.ts";
import { refusalOf } from "./refusal.ts";
import { HttpSession } from "./session.ts";
import { HttpTally } from "./tally.ts";

type Answer = Response | Promise<Response>;

/** The requests of one service. */
export class HttpPipeline {
  readonly service: Service;
  /** What an adapter calls. */
  readonly table: HttpTable;
  readonly #admission: Admission;
  /** The requests that are under way. */
  readonly deadlines: HttpDeadlines;
  /** What {@link Log.changes} was when {@link #records} was found. */
  #changes = -1;
  #records = false;

  readonly #tally: HttpTally;
  readonly #meter: HttpMeter | undefined;
  readonly #follows: boolean;

  /** @param meter where bodies are limited. */
  constructor(service: Service, admission: Admission, meter?: HttpMeter) {
    this.service = service;
    this.#tally = new HttpTally(service);
    this.#meter = meter;
    this.#follows = service.plan.limits.progress.per !== Infinity;
    this.#admission = admission;
    this.deadlines = new HttpDeadlines(
      service.plan.limits,
      service.clock,
      (session, reason) => void this.finish([session], reason),
    );
    this.table = {
      open: (side, request, own) => new HttpSession(this, side, request, own),
      answer: (session) => this.#open(session as HttpSession),
      isAwaited: (session) =>
        (session as HttpSession).more !== undefined || admission.places.anybodyWaits,
      close: (session, gone, failed) => this.#close(session as HttpSession, gone, failed),
      failure: (error) => service.report(error),
    };
  }

  // OPEN → RULES, LIMITS, TURN

  #open(session: HttpSession): Answer {
    this.deadlines.add(session);
    const answer = this.#admission.admit(session);
    if (!("stage" in answer)) return this.#refuse(session, answer);
    session.permit = answer;
    if (answer.granted) return this.#verify(session);
    return new Promise((resolve) => session.extra.proceed = resolve);
  }

  /** The turn of one that waited has come. */
  admitted(session: HttpSession): void {
    session.takeProceed()(this.#verify(session));
  }

  /** It has waited in vain. */
  refused(session: HttpSession, why: Refusal): void {
    session.takeProceed()(this.#refuse(session, why));
  }

  #refuse(session: HttpSession, why: Refusal): Response {
    const status = "rule" in why ? 403 : STATUS[why.limit] ?? 503;
    this.service.countRefusal(why, session);
    recordRequest(this.service, session, why);
    session.reason ??= "refused";
    session.status = status;
    return refusalOf(status, this.service.banners?.text(session, why));
  }

  /** Whether somebody may want a record of a request that is answered. */
  get #recorded(): boolean {
    const { log } = this.service;
    if (log.changes !== this.#changes) {
      this.#changes = log.changes;
      this.#records = wantsRequests(log);
    }
    return this.#records;
  }

  // VERIFY

  #verify(session: HttpSession): Answer {
    const { verify, certificates } = this.service;
    this.deadlines.begin(session);
    const barred = certificates?.refusal(session);
    if (barred !== undefined) return this.#refuse(session, barred);
    if (this.#meter?.refuses(session.request)) return this.#refuse(session, { limit: "bytes" });
    if (verify === undefined) return this.#fetch(session);
    try {
      const answer = verify(session);
      if (!isPromise(answer)) return this.#decide(session, answer);
      return this.#await(session, answer, (answer) => this.#decide(session, answer));
    } catch (error) {
      return this.#fail(session, error);
    }
  }

  #decide(session: HttpSession, answer: boolean): Answer {
    if (session.over || session.status !== 0) return nobody();
    return answer === false ? this.#refuse(session, { rule: "verify" }) : this.#fetch(session);
  }

  // FETCH

  #fetch(session: HttpSession): Answer {
    session.served = true;
    this.#tally.served();
    if (this.#recorded) {
      recordRequest(this.service, session);
      // Some runtimes know it no longer when the request has been answered.
      void session.remote;
    }
    if (this.#follows) session.follow();
    try {
      const request = this.#meter?.request(session) ?? session.request;
      const answer = this.service.hooks.fetch!(request, { session });
      if (!isPromise(answer)) return this.#respond(session, answer);
      return this.#await(session, answer, (response) => this.#respond(session, response));
    } catch (error) {
      return this.#fail(session, error);
    }
  }

  /** Waits for what a hook has promised, or for the end of the session's time, whichever comes first. */
  #await<Value>(
    session: HttpSession,
    promise: Promise<Value>,
    well: (value: Value) => Answer,
  ): Promise<Response> {
    return new Promise((resolve) => {
      session.extra.interrupt = resolve;
      this.deadlines.left(session);
      const back = (answer: () => Answer): void => {
        this.deadlines.back(session);
        resolve(answer());
      };
      promise.then(
        (value) => back(() => well(value)),
        (error) => back(() => this.#fail(session, error)),
        // What it returned may not even bear to be looked at.
      ).catch((error: unknown) => resolve(this.#fail(session, error)));
    });
  }

  #respond(session: HttpSession, response: Response): Answer {
    // Who asked has gone, or was answered for it.
    if (session.over || session.status !== 0) {
      void response.body?.cancel().catch(() => {});
      return nobody();
    }
    if (this.#meter !== undefined) return this.#limit(session, response, this.#meter);
    if (!session.side.isWhole(response)) return this.#send(session, response);
    session.status = response.status;
    return response;
  }

  #limit(session: HttpSession, response: Response, meter: HttpMeter): Answer {
    checkResponse(response);
    if (session.more?.excess === true) {
      void response.body?.cancel().catch(() => {});
      return this.#tooLarge(session);
    }
    return meter.answer(session, response)?.then((response) => this.#send(session, response)) ??
      this.#send(session, response);
  }

  #send(session: HttpSession, response: Response): Response {
    session.status = checkResponse(response);
    if (!session.side.streams(session, response)) return response;
    session.extra.open++;
    session.extra.endless = isEvents(response);
    const over = (): void => this.#leave(session);
    return watched(response, session, over, (thrown) => this.#failBody(session, thrown));
  }

  /** More has come of its body than may come. */
  #tooLarge(session: HttpSession): Response {
    session.reason ??= "bytes";
    session.status = STATUS["bytes"]!;
    return new Response(null, { status: session.status });
  }

  #fail(session: HttpSession, thrown: unknown): Response {
    if (session.over || session.status !== 0) return nobody();
    // Its reading has failed because the peer has left.
    if (session.side.isGone(session, thrown)) {
      session.status = 500;
      session.reason ??= "peer";
      return nobody();
    }
    if (session.more?.excess === true) return this.#tooLarge(session);
    const error = hookError(thrown);
    session.reason ??= "error";
    session.extra.cause = error;
    session.status = error.code === "PROTOCOL_ERROR" ? 400 : 500;
    this.service.report(error, session.id);
    return new Response(null, { status: session.status });
  }

  /** The head has gone out: nothing is left to answer with. */
  #failBody(session: HttpSession, thrown: unknown): void {
    // It was cut by its limit.
    if (session.reason === "bytes") return;
    const error = hookError(thrown);
    session.reason ??= "error";
    session.extra.cause = error;
    this.service.report(error, session.id);
  }

  // FINISH

  #close(session: HttpSession, gone: boolean, failed: BodyFailure | undefined): void {
    if (failed !== undefined && session.reason === undefined) {
      this.#failBody(session, failed.thrown);
    }
    if (gone) {
      session.reason ??= "peer";
      session.signalEnd("peer");
      session.more?.cut?.("peer");
      session.more?.proceed?.(nobody());
    }
    this.#leave(session);
  }

  #leave(session: HttpSession): void {
    if (session.over) return;
    if (session.more !== undefined && --session.extra.open > 0) return;
    session.over = true;
    const { service } = this;
    session.reason ??= "done";
    session.signalEnd(session.reason);
    if (session.bytesOut !== 0) countBytes(service.counters, 0, session.bytesOut);
    if (session.served) {
      const durationMs = this.deadlines.readClock() - session.opened;
      this.#tally.ended(session.reason, durationMs);
      if (this.#recorded) recordResponse(service, session, durationMs);
    }
    this.deadlines.remove(session);
    session.permit.release();
  }

  // DEADLINE

  /** Aborts their signal; answers with 503 who has not been answered, and cuts what streams. */
  async finish(sessions: readonly HttpSession[], reason: CutReason): Promise<void> {
    for (const session of sessions) {
      session.extra.told = true;
      session.reason ??= reason;
      session.signalEnd(reason);
    }
    // Who hears that it is over may say so itself.
    await new Promise((resolve) => setTimeout(resolve, 0));
    for (const session of sessions) {
      session.more?.cut?.(reason);
      const interrupt = session.more?.interrupt;
      if (reason !== "drain") cutConnection(session, this.service.clock);
      if (session.status !== 0 || interrupt === undefined) continue;
      const answer = session.served ? nobody() : this.#refuse(session, { limit: reason });
      session.status = answer.status;
      interrupt(answer);
    }
  }

  // The end of the service.

  /** Ends streams of events, which have no end of their own, and whose peers come again. */
  endEvents(): void {
    this.deadlines.forEach((session) => {
      if (session.more?.endless !== true) return;
      session.reason ??= "drain";
      session.signalEnd("drain");
      session.more?.cut?.("drain");
    });
  }

  /** As {@link StreamPipeline.cut}: those that are left are answered with 503. */
  async cut(reason: CutReason): Promise<void> {
    if (this.deadlines.value === 0) return;
    const left: HttpSession[] = [];
    this.deadlines.forEach((session) => left.push(session));
    await this.finish(left, reason);
    await this.deadlines.empty(LAST_WORDS);
    this.deadlines.stop();
  }

  /** Nobody comes any more. */
  end(): void {
    this.#tally.close();
  }
}
