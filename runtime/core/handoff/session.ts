/** The session of a stream whose socket is its plugin's. What happens to it is `takings.ts`. */
import type { Origin } from "../descriptors.ts";
import type { Address } from "../endpoint.ts";
import type { Fields } from "../record.ts";
import type { Parked } from "../admission/parking.ts";
import type { Service } from "../service.ts";
import { BaseSession } from "../session.ts";
import type { Takings } from "./pipeline.ts";
import type { Reader } from "../stream/reader.ts";
import type { Waiting } from "../admission/turns.ts";

/** The longest delay of a timer, in ms. */
const TIMER_MAX = 2 ** 31 - 1;

export class TakenSession extends BaseSession implements Parked, Waiting {
  readonly takings: Takings;
  readonly fd: number;
  readonly remote: Address;
  readonly local: Address;
  phase: "asked" | "parked" | "held" | "setup" | "served" | "closed" = "asked";
  /** Why it ends, once somebody has decided that. */
  reason: string | undefined = undefined;
  /** It is to end; its hook has been told. */
  over = false;
  /** Has a place at the gate; has the turn. */
  placed = false;
  turn = false;
  /** What `take` says of it. */
  found: Fields = {};
  readonly #opened: number = performance.now();
  #timer: ReturnType<typeof setTimeout> | undefined = undefined;

  constructor(takings: Takings, fd: number, { remote, local }: Origin, id: number) {
    super(id);
    this.takings = takings;
    this.fd = fd;
    this.remote = remote;
    this.local = local;
  }

  get service(): Service {
    return this.takings.service;
  }

  get kind(): "stream" {
    return "stream";
  }

  get waits(): boolean {
    return this.phase === "held" || this.phase === "parked";
  }

  /** Milliseconds since it arrived. */
  get age(): number {
    return Math.floor(performance.now() - this.#opened);
  }

  serve(): void {
    this.takings.serve(this);
  }

  enter(): unknown {
    return this.takings.enter(this);
  }

  /** Calls `late` when it has been here for `limit` ms. It replaces the limit before. */
  limit(limit: number, late: () => void): void {
    this.rest();
    if (limit <= TIMER_MAX) this.#timer = setTimeout(late, Math.max(0, limit - this.age));
  }

  /** Limits it no more. */
  rest(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
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
    throw taken("write to");
  }

  send(): Promise<never> {
    return Promise.reject(taken("write to"));
  }

  end(): never {
    throw taken("end");
  }

  pause(): never {
    throw taken("pause");
  }

  resume(): never {
    throw taken("resume");
  }

  override get reader(): Reader {
    throw taken("read from");
  }

  protected throttle(): void {}
}

function taken(what: string): Error {
  return new Error(
    `Cannot ${what} a session whose plugin has a take hook: its socket is the descriptor that take is given`,
  );
}
