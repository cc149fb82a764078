/** The session of a stream whose socket is its plugin's. What happens to it is `pipeline.ts`. */
import { type Candidate, type CutReason, type Refusal, WEIGHT } from "../admission/candidate.ts";
import { type Permit, UNLIMITED } from "../admission/permit.ts";
import type { Origin } from "../descriptors.ts";
import type { Address } from "../endpoint.ts";
import type { PorticoError } from "../errors.ts";
import type { Pending, PendingHost } from "../pending.ts";
import type { Fields } from "../record.ts";
import type { Service } from "../service.ts";
import { BaseSession } from "../session.ts";
import type { Reader } from "../stream/reader.ts";
import { NOWHERE, type Timed } from "../timers/wheel.ts";
import type { HandoffPipeline } from "./pipeline.ts";

export class HandoffSession extends BaseSession
  implements Candidate, PendingHost, Timed<HandoffSession> {
  readonly pipeline: HandoffPipeline;
  /** -1 when somebody else has it, to turn the peer away. */
  fd: number;
  readonly remote: Address;
  readonly local: Address;
  permit: Permit = UNLIMITED;
  /** `open` was recorded: `close` has to follow. */
  served = false;
  /** Why it ends, once somebody has decided that. */
  reason: string | undefined = undefined;
  /** The error that ended it. */
  cause: PorticoError | undefined = undefined;
  /** It is to end; its hook has been told. */
  over = false;
  gone = false;
  /** `verify` is asked, or it is served: its time runs. */
  begun = false;
  /** See {@link Timed}, {@link PendingHost}. */
  previous: HandoffSession | undefined = undefined;
  next: HandoffSession | undefined = undefined;
  slot: number = NOWHERE;
  calls: Pending | undefined = undefined;
  running = 0;
  /** What `take` says of it. */
  found: Fields = {};
  /** On the clock of the timers. */
  readonly opened: number;

  constructor(
    pipeline: HandoffPipeline,
    fd: number,
    { remote, local }: Origin,
    id: number,
    now: number,
  ) {
    super(id);
    this.pipeline = pipeline;
    this.fd = fd;
    this.remote = remote;
    this.local = local;
    this.opened = now;
  }

  get service(): Service {
    return this.pipeline.service;
  }

  get kind(): "stream" {
    return "stream";
  }

  get weight(): number {
    return WEIGHT.stream;
  }

  /** Milliseconds since it arrived. */
  get age(): number {
    return this.pipeline.timers.readClock() - this.opened;
  }

  cut(reason: CutReason): void {
    this.pipeline.cutOne(this, reason);
  }

  admitted(): void {
    this.pipeline.verify(this);
  }

  refused(why: Refusal): void {
    this.pipeline.refuse(this, why);
  }

  /** Nothing is left of it. */
  close(): void {
    this.gone = true;
    this.tellClosed();
  }

  /** Tells the hook, once, that it has to end. */
  finish(reason: string): void {
    if (this.over) return;
    this.over = true;
    this.reason ??= reason;
    this.signalEnd(this.reason);
  }

  /** Aborts {@link signal}: the hook lets the socket go. */
  abort(): void {
    this.finish("aborted");
  }

  write(): never {
    throw misuse("write to");
  }

  send(): Promise<never> {
    return Promise.reject(misuse("write to"));
  }

  writable(): Promise<never> {
    return Promise.reject(misuse("write to"));
  }

  deadline(): never {
    throw misuse("limit");
  }

  end(): never {
    throw misuse("end");
  }

  pause(): never {
    throw misuse("pause");
  }

  resume(): never {
    throw misuse("resume");
  }

  override get reader(): Reader {
    throw misuse("read from");
  }

  throttle(): void {}
}

function misuse(what: string): Error {
  return new Error(
    `Cannot ${what} a session whose plugin has a take hook: its socket is the descriptor that take is given`,
  );
}
