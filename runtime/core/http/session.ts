/** The session of one HTTP request. What happens to it, and when, is `pipeline.ts`. */
import { type Candidate, type Refusal, WEIGHT } from "../admission/candidate.ts";
import { type Permit, UNLIMITED } from "../admission/permit.ts";
import type { Address } from "../endpoint.ts";
import type { PorticoError } from "../errors.ts";
import type { Exchange } from "../exchange.ts";
import type { RuleOptions } from "../plan.ts";
import type { Logger, RequestSession } from "../plugin.ts";
import type { HttpPipeline } from "./pipeline.ts";

export class HttpSession implements RequestSession, Candidate {
  readonly id: number;
  readonly kind = "http";
  readonly pipeline: HttpPipeline;
  readonly exchange: Exchange;
  readonly request: Request;
  /** The clock of the deadlines. */
  readonly opened: number;
  /** Its neighbours among those that are under way: {@link LiveSessions}. */
  previous: HttpSession | undefined = undefined;
  next: HttpSession | undefined = undefined;
  permit: Permit = UNLIMITED;
  /** `open` was recorded: `close` has to follow. */
  served = false;
  over = false;
  /** Its signal has aborted, for a limit or for the end of the service. */
  told = false;
  /** What has still to come back: the adapter, and a body that streams. */
  open = 1;
  status = 0;
  reason: string | undefined = undefined;
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
  ruleOptions: RuleOptions | undefined = undefined;
  #controller: AbortController | undefined = undefined;
  #log: Logger | undefined = undefined;

  constructor(
    pipeline: HttpPipeline,
    exchange: Exchange,
    request: Request,
    id: number,
    now: number,
  ) {
    this.pipeline = pipeline;
    this.exchange = exchange;
    this.request = request;
    this.id = id;
    this.opened = now;
  }

  get remote(): Address {
    return this.exchange.remote;
  }

  get local(): Address {
    return this.exchange.local;
  }

  /** Bodies are the runtime's affair: what is received is not counted. */
  get bytesIn(): number {
    return 0;
  }

  get log(): Logger {
    return this.#log ??= this.pipeline.service.logger(this.id);
  }

  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController();
      if (this.over) this.signalEnd(this.reason ?? "done");
      else this.exchange.watch();
    }
    return this.#controller.signal;
  }

  signalEnd(reason: string): void {
    this.#controller?.abort(new DOMException(reason, "AbortError"));
  }

  get weight(): number {
    return WEIGHT.http;
  }

  admitted(): void {
    this.pipeline.admitted(this);
  }

  refused(why: Refusal): void {
    this.pipeline.refused(this, why);
  }
}
