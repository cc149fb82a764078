/** What the sessions of one service share, in one thread. */
import type { Refusal } from "./admission/candidate.ts";
import { resets } from "./admission/overflow.ts";
import type { Banners } from "./banners.ts";
import type { Offence, Offended, Offender } from "./admission/gate.ts";
import { type Clock, SYSTEM_CLOCK } from "./clock.ts";
import type { CertificateRules } from "./handshake/certificates.ts";
import type { PorticoError, Side } from "./errors.ts";
import type { Handshakes } from "./handshake/handshakes.ts";
import { checkAnswer, makeLogger, verdict } from "./hooks.ts";
import { errorFields } from "./log.ts";
import type { Log } from "./log.ts";
import type { ServicePlan } from "./plan.ts";
import type { Lends } from "./features.ts";
import type { Hooks, Logger } from "./plugin.ts";
import type { Level } from "./record.ts";
import { count, countEnd } from "./statistics.ts";
import type { Gather } from "./stream/gather.ts";
import { type Counters, Totals } from "./totals.ts";
import { Warnings } from "./warnings.ts";

/** What a service is built from. */
export interface ServiceInput {
  readonly plan: ServicePlan;
  readonly hooks: Hooks<unknown>;
  readonly log: Log;
  readonly gather: Gather;
  /** The adapter's {@link Features.lends}. */
  readonly lends: Lends;
  /** Gives the next session number. */
  readonly nextId: () => number;
  /** Of the service that this one replaces, where it counts on. */
  readonly totals?: Totals | undefined;
  /** Is told whenever something was counted of a session that may not be over soon. */
  readonly counted?: (() => void) | undefined;
  /** Its sessions are those that the plugin opens itself. */
  readonly outgoing?: boolean;
  /** {@link Plugin.keepsDatagrams}. */
  readonly keepsDatagrams?: boolean | undefined;
  /** {@link Plugin.keepsChunks}. */
  readonly keepsChunks?: boolean | undefined;
  /** {@link SYSTEM_CLOCK} when silent. */
  readonly clock?: Clock | undefined;
  readonly offended?: Offended | undefined;
  readonly handshakes?: Handshakes | undefined;
  /** Rules about certificates, where its access has any; for sessions that come from outside. */
  readonly certificates?: CertificateRules | undefined;
}

const LEVEL_OF: Readonly<Record<Side, Level>> = {
  peer: "debug",
  plugin: "error",
  host: "warn",
  config: "error",
};

export class Service {
  readonly plan: ServicePlan;
  readonly hooks: Hooks<unknown>;
  readonly log: Log;
  readonly gather: Gather;
  readonly lends: Lends;
  readonly nextId: () => number;
  readonly totals: Totals;
  readonly counters: Counters;
  readonly outgoing: boolean;
  /** See {@link ServiceInput.counted}. */
  readonly counted: (() => void) | undefined;
  /** Bytes of a datagram may be looked at after `data` has returned: it needs a copy of its own. */
  readonly keepsDatagrams: boolean;
  /** Chunks of the pull form may be looked at when the next one was asked for. */
  readonly keepsChunks: boolean;
  /** A session with a backlog is not read from: its plugin does not look after that itself. */
  readonly restsOnBacklog: boolean;
  /** The plugin's question, with an answer that is one. */
  readonly verify: Hooks["verify"];
  readonly clock: Clock;
  readonly warnings: Warnings;
  /** What is said beside the plugin; whoever has made the service for sessions that come from outside sets it. */
  banners: Banners | undefined = undefined;
  /** Where TLS may be spoken. */
  readonly handshakes: Handshakes | undefined;
  readonly certificates: CertificateRules | undefined;
  readonly #offended: Offended | undefined;

  constructor(input: ServiceInput) {
    const { plan, hooks, log, gather, lends, nextId, totals, counted, outgoing } = input;
    this.plan = plan;
    this.hooks = hooks;
    this.log = log;
    this.gather = gather;
    this.lends = lends;
    this.nextId = nextId;
    this.totals = totals ?? new Totals();
    this.counters = this.totals.counters;
    this.outgoing = outgoing ?? false;
    this.clock = input.clock ?? SYSTEM_CLOCK;
    this.warnings = new Warnings(this.clock);
    const pushes = hooks.datagram ?? hooks.data;
    this.keepsDatagrams = pushes === undefined || (input.keepsDatagrams ?? true);
    this.keepsChunks = input.keepsChunks ?? true;
    this.restsOnBacklog = hooks.drain === undefined;
    this.verify = hooks.verify && ((peer) => checkAnswer(hooks.verify!(peer), verdict));
    this.counted = counted;
    this.#offended = input.offended;
    this.handshakes = input.handshakes;
    this.certificates = input.certificates;
  }

  /** Of the records of streams that open and close. */
  get level(): Level {
    return this.outgoing ? "debug" : "info";
  }

  /** Whether streams are read in pull form: by the plugin's `handle`, or by whoever has connected. */
  get pulls(): boolean {
    return this.hooks.data === undefined;
  }

  /** Whether somebody asks about a session when its connection has gone. */
  get asksLater(): boolean {
    const { finish, error } = this.hooks;
    return finish !== undefined || error !== undefined || this.log.wants(this.level, "close");
  }

  /** The plugin's log, for the service or for one session. */
  logger(session?: number): Logger {
    return makeLogger(this.log, this.plan.name, session);
  }

  /** A session has come as far as setup. */
  countServed(): void {
    this.counters.served++;
    this.counted?.();
  }

  /** One session, or what wanted to be one, was turned away. */
  countRefusal(why: Refusal, peer: Offender): void {
    this.counters.refused++;
    count(this.totals.statistics, "refused", "rule" in why ? why.rule : why.limit);
    this.#offended?.(peer, why);
  }

  /** A peer has done something that may lead to a ban, beside what it was refused for. */
  blame(peer: Offender, what: Offence): void {
    this.#offended?.(peer, what);
  }

  countError({ code, side }: PorticoError): void {
    this.counters.errors++;
    count(this.totals.statistics, "errors", `${code} ${side}`);
    this.counted?.();
  }

  /** A session that was served is over. */
  countEnd(reason: string | undefined, durationMs: number): void {
    countEnd(this.totals.statistics, reason ?? "done", durationMs);
  }

  /** Whether whoever is refused for that sees a reset. */
  resets(why: Refusal): boolean {
    return resets(this.plan.limits.overflow, why);
  }

  /** An `error` record, at the level of the side at fault. */
  report(error: PorticoError, session?: number, counted = false): void {
    if (!counted) this.countError(error);
    const level = LEVEL_OF[error.side];
    if (!this.log.wants(level, "error", session)) return;
    this.log.emit(level, "error", {
      service: this.plan.name,
      ...(session !== undefined && { session }),
      ...errorFields(error),
    });
  }
}
