/** What the sessions of one service share, in one thread. */
import { AccessList } from "./admission/rules.ts";
import { errorFields } from "./log.ts";
import type { Log } from "./log.ts";
import type { PorticoError, Side } from "./errors.ts";
import type { Gather } from "./stream/gather.ts";
import { makeLogger } from "./hooks.ts";
import type { Gate } from "./admission/limits.ts";
import type { ServicePlan } from "./plan.ts";
import type { Hooks, Logger } from "./plugin.ts";
import type { Level } from "./record.ts";
import type { Recorded } from "./records.ts";
import { type Counters, Room } from "./admission/room.ts";
import { count, countEnd } from "./admission/tally.ts";
import type { Turns } from "./admission/turns.ts";

/** What a service is built from. */
export interface ServiceInput {
  readonly plan: ServicePlan;
  readonly hooks: Hooks<unknown>;
  readonly log: Log;
  readonly gather: Gather;
  /** The adapter's {@link Features.lends}. */
  readonly lends: boolean;
  /** Gives the next session number. */
  readonly nextId: () => number;
  /** What is taken over from the service that this one replaces. */
  readonly room?: Room | undefined;
  /** Whoever sent the sessions here and keeps account of them. */
  readonly observer?: Observer | undefined;
  /** Its sessions are those that the plugin opens itself. */
  readonly outgoing?: boolean;
}

/** Is told about sessions, in a worker. */
export interface Observer {
  /** It has given its turn back. */
  turned(session: Recorded): void;
  /** Nothing is left of it. May be told twice. */
  gone(session: Recorded): void;
  /** Something was counted, of a session or of none, that may not be over soon. */
  counted(): void;
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
  readonly lends: boolean;
  readonly nextId: () => number;
  readonly access: AccessList;
  readonly room: Room;
  readonly gate: Gate;
  readonly turns: Turns;
  readonly counters: Counters;
  readonly observer: Observer | undefined;
  readonly outgoing: boolean;
  constructor(input: ServiceInput) {
    const { plan, hooks, log, gather, lends, nextId, room, observer, outgoing } = input;
    this.plan = plan;
    this.hooks = hooks;
    this.log = log;
    this.gather = gather;
    this.lends = lends;
    this.nextId = nextId;
    this.access = new AccessList(plan.access);
    this.room = room ?? new Room(plan);
    this.gate = this.room.gate;
    this.turns = this.room.turns;
    this.counters = this.room.counters;
    this.observer = observer;
    this.outgoing = outgoing ?? false;
  }

  /** Gives the turn of a session to whoever has waited longest. */
  leaveTurn(session: Recorded): void {
    this.room.turns.leave();
    this.observer?.turned(session);
  }

  /** A session is over; `source` is what it entered the gate with, undefined when it never did. */
  leave(session: Recorded, source: string | undefined): void {
    this.observer?.gone(session);
    if (source === undefined) return;
    this.room.gate.leave(source);
    this.room.parked.retry();
  }

  /** Of the records of streams that open and close. */
  get level(): Level {
    return this.outgoing ? "debug" : "info";
  }

  /** Whether the plugin reads in pull form. */
  get pulls(): boolean {
    return this.hooks.handle !== undefined;
  }

  /** The plugin's log, for the service or for one session. */
  logger(session?: number): Logger {
    return makeLogger(this.log, this.plan.name, session);
  }

  /** A session has come as far as setup. */
  countServed(): void {
    this.counters.served++;
    this.observer?.counted();
  }

  /** One session, or what wanted to be one, was turned away. */
  countRefusal(why: { rule: string } | { limit: string }): void {
    this.counters.refused++;
    count(this.room.tally, "refused", "rule" in why ? why.rule : why.limit);
  }

  countError({ code, side }: PorticoError): void {
    this.counters.errors++;
    count(this.room.tally, "errors", `${code} ${side}`);
    this.observer?.counted();
  }

  /** A session that was served is over. */
  countEnd(reason: string | undefined, durationMs: number): void {
    countEnd(this.room.tally, reason ?? "done", durationMs);
  }

  /** An `error` record, at the level of the side at fault. */
  report(error: PorticoError, session?: number): void {
    this.countError(error);
    const level = LEVEL_OF[error.side];
    if (!this.log.wants(level, "error", session)) return;
    this.log.emit(level, "error", {
      service: this.plan.name,
      ...(session !== undefined && { session }),
      ...errorFields(error),
    });
  }
}
