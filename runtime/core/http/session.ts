/** The session of one HTTP request. What happens to it, and when, is `pipeline.ts`. */
import { type Candidate, type CutReason, type Refusal, WEIGHT } from "../admission/candidate.ts";
import { type Permit, UNLIMITED } from "../admission/permit.ts";
import type { PorticoError } from "../errors.ts";
import { Exchange, type HttpSide } from "../exchange.ts";
import type { RuleOptions } from "../plan.ts";
import type { Logger, RequestSession } from "../plugin.ts";
import { type Via, viaOf } from "../prologue/via.ts";
import { offenceOf } from "../session.ts";
import type { Mark } from "../stream/progress.ts";
import { NOWHERE } from "../timers/wheel.ts";
import type { HttpPipeline } from "./pipeline.ts";

/** Methods of requests without a body. */
const NO_BODY: ReadonlySet<string> = new Set(["GET", "HEAD", "OPTIONS"]);

/** What most requests never need. */
class Extra {
  /** Its signal has aborted, for a limit or for the end of the service. */
  told = false;
  /** What has still to come back: the adapter, and a body that streams. */
  open = 1;
  /** The error that ended it. */
  cause: PorticoError | undefined = undefined;
  bytesOut = 0;
  /** Lets in, or refuses, one that waits. */
  proceed: ((answer: Promise<Response> | Response) => void) | undefined = undefined;
  /** Answers in the place of a plugin that does not. */
  interrupt: ((answer: Response) => void) | undefined = undefined;
  /** Ends a body that streams. */
  cut: ((reason: string) => void) | undefined = undefined;
  /** Its body has no end of its own, and its peer comes again: `text/event-stream`. */
  endless = false;
  /** When the hook was called whose promise is waited for, on the clock of the deadlines. */
  called = Infinity;
  /** Of a body that streams: the runtime waits for more of it. */
  asked = false;
  /** What `progress` has found under way. */
  mark: Mark | undefined = undefined;
  ruleOptions: RuleOptions | undefined = undefined;
  /** More has come of its body than `limits.bytes` allows. */
  excess = false;
  controller: AbortController | undefined = undefined;
  log: Logger | undefined = undefined;
}

export class HttpSession extends Exchange implements RequestSession, Candidate {
  readonly id: number;
  readonly pipeline: HttpPipeline;
  /** The clock of the deadlines. */
  readonly opened: number;
  /** See {@link Timed}. */
  previous: HttpSession | undefined = undefined;
  next: HttpSession | undefined = undefined;
  slot: number = NOWHERE;
  permit: Permit = UNLIMITED;
  /** `open` was recorded: `close` has to follow. */
  served = false;
  over = false;
  status = 0;
  reason: string | undefined = undefined;
  #extra: Extra | undefined = undefined;

  constructor(pipeline: HttpPipeline, side: HttpSide, request: Request, own: unknown) {
    super(side, request, own);
    this.pipeline = pipeline;
    this.id = pipeline.service.nextId();
    this.opened = pipeline.deadlines.readClock();
  }

  get via(): Via | undefined {
    return viaOf(this.remote);
  }

  get kind(): "http" {
    return "http";
  }

  /** Made when it is written to. */
  get extra(): Extra {
    return this.#extra ??= new Extra();
  }

  /** What there is of it. */
  get more(): Readonly<Extra> | undefined {
    return this.#extra;
  }

  get cause(): PorticoError | undefined {
    return this.#extra?.cause;
  }

  get bytesOut(): number {
    return this.#extra?.bytesOut ?? 0;
  }

  /** Bodies are the runtime's affair: what is received is not counted. */
  get bytesIn(): number {
    return 0;
  }

  get ruleOptions(): RuleOptions | undefined {
    return this.#extra?.ruleOptions;
  }

  set ruleOptions(options: RuleOptions | undefined) {
    this.extra.ruleOptions = options;
  }

  get log(): Logger {
    return this.extra.log ??= this.pipeline.service.logger(this.id);
  }

  offence(what: string): void {
    this.pipeline.service.blame(this, { offence: offenceOf(what) });
  }

  get signal(): AbortSignal {
    const { extra } = this;
    if (extra.controller === undefined) {
      extra.controller = new AbortController();
      if (this.over) this.signalEnd(this.reason ?? "done");
      else this.side.watch(this);
    }
    return extra.controller.signal;
  }

  /** Its body is to be looked after while it is read, if it may have one. */
  follow(): void {
    const { side, request } = this;
    if (side.follow === undefined || NO_BODY.has(request.method)) return;
    side.follow(this);
  }

  /** It waits no longer. @returns what its answer is given to. */
  takeProceed(): NonNullable<Extra["proceed"]> {
    const { proceed } = this.extra;
    this.extra.proceed = undefined;
    return proceed!;
  }

  signalEnd(reason: string): void {
    this.#extra?.controller?.abort(new DOMException(reason, "AbortError"));
  }

  get weight(): number {
    return WEIGHT.http;
  }

  cut(reason: CutReason): void {
    void this.pipeline.finish([this], reason);
  }

  admitted(): void {
    this.pipeline.admitted(this);
  }

  refused(why: Refusal): void {
    this.pipeline.refused(this, why);
  }
}
