/** What the sessions of one service share, in one thread. */
import { AccessList } from "./access.ts";
import { errorFields } from "./log.ts";
import type { Log } from "./log.ts";
import type { PorticoError, Side } from "./errors.ts";
import type { Gather } from "./gather.ts";
import { makeLogger } from "./hooks.ts";
import { Gate } from "./limits.ts";
import type { ServicePlan } from "./plan.ts";
import type { Hooks, Logger } from "./plugin.ts";
import type { Level } from "./record.ts";
import { Turns } from "./turns.ts";

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
}

/** What a service has done since its start. */
export interface Counters {
  /** Sessions that came as far as setup. */
  served: number;
  refused: number;
  /** Errors of any side. */
  errors: number;
  /** Bytes of datagrams at once, of streams when they have ended. */
  bytesIn: number;
  bytesOut: number;
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
  readonly gate: Gate;
  readonly turns: Turns;
  readonly counters: Counters = { served: 0, refused: 0, errors: 0, bytesIn: 0, bytesOut: 0 };

  constructor({ plan, hooks, log, gather, lends, nextId }: ServiceInput) {
    this.plan = plan;
    this.hooks = hooks;
    this.log = log;
    this.gather = gather;
    this.lends = lends;
    this.nextId = nextId;
    this.access = new AccessList(plan.access);
    this.gate = new Gate(plan.limits, () => performance.now());
    this.turns = new Turns(plan.concurrency.max);
  }

  /** Whether the plugin reads in pull form. */
  get pulls(): boolean {
    return this.hooks.handle !== undefined;
  }

  /** The plugin's log, for the service or for one session. */
  logger(session?: number): Logger {
    return makeLogger(this.log, this.plan.name, session);
  }

  /** An `error` record, at the level of the side at fault. */
  report(error: PorticoError, session?: number): void {
    this.counters.errors++;
    const level = LEVEL_OF[error.side];
    if (!this.log.wants(level)) return;
    this.log.emit(level, "error", {
      service: this.plan.name,
      ...(session !== undefined && { session }),
      ...errorFields(error),
    });
  }
}
