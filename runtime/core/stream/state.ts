/** What is known of a stream's session, for the steps of its way. */
import { type Permit, UNLIMITED } from "../admission/permit.ts";
import type { Connection } from "../contract.ts";
import type { Address } from "../endpoint.ts";
import type { PorticoError } from "../errors.ts";
import type { Handshake } from "../handshake/handshake.ts";
import type { Pending } from "../pending.ts";
import type { Service } from "../service.ts";
import { BaseSession } from "../session.ts";
import { NOWHERE } from "../timers/wheel.ts";
import type { TlsInfo } from "../tls.ts";
import type { End } from "./deadlines.ts";
import type { Mark } from "./progress.ts";
import type { Way } from "./pipe.ts";
import type { StreamPipeline } from "./pipeline.ts";
import type { StreamSession } from "./session.ts";

/** Waiting for its turn, for TLS, asked about (verify), set up, served, sending what is left, closed. */
export type Phase = "waiting" | "handshake" | "verify" | "setup" | "served" | "ending" | "closed";

export abstract class StreamState extends BaseSession {
  readonly pipeline: StreamPipeline;
  /** While TLS begins: its {@link handshake}. */
  connection: Connection;
  permit: Permit = UNLIMITED;
  phase: Phase = "waiting";
  /** Why it ends, once somebody has decided that; the peer when nobody has. The error that ended it. */
  reason: string | undefined = undefined;
  cause: PorticoError | undefined = undefined;
  /** What `firstByte` and `lifetime`, and what `idle` count from: the clock of the deadlines. */
  opened: number;
  active: number;
  /** Ends of its own, and what `progress` has found under way; most have neither. */
  ends: End | undefined = undefined;
  mark: Mark | undefined = undefined;
  /** See {@link PendingHost}. */
  calls: Pending | undefined = undefined;
  running = 0;
  handshake: Handshake | undefined = undefined;
  /** Where its bytes are passed on. */
  way: Way | undefined = undefined;
  /** The peer will send no more; it is closed, and nothing of what came is left to be read. */
  peerEnded = false;
  gone = false;
  /** See {@link Timed}. */
  previous: StreamSession | undefined = undefined;
  next: StreamSession | undefined = undefined;
  slot: number = NOWHERE;
  /** `setup` came back, and `finish` has not been called; `open` was recorded: `close` has to follow. */
  finishDue = false;
  served = false;
  /** `error` has been called: a second failure is not its business. */
  failed = false;
  killed = false;

  constructor(pipeline: StreamPipeline, connection: Connection, id: number, now: number) {
    super(id);
    this.pipeline = pipeline;
    this.connection = connection;
    this.opened = this.active = now;
  }

  get service(): Service {
    return this.pipeline.service;
  }

  get kind(): "stream" {
    return "stream";
  }

  get remote(): Address {
    return this.connection.remote;
  }

  get local(): Address {
    return this.connection.local;
  }

  override get tls(): TlsInfo | undefined {
    return this.connection.tls;
  }

  get over(): boolean {
    return this.killed || this.phase === "ending" || this.phase === "closed";
  }
}
