/** The session of one stream connection. What happens to it, and when, is `pipeline.ts`. */
import { type Candidate, type CutReason, type Refusal, WEIGHT } from "../admission/candidate.ts";
import type { Connection } from "../contract.ts";
import { closedError, PorticoError } from "../errors.ts";
import { noHandshakes } from "../handshake/absent.ts";
import type { StartTlsOptions } from "../plugin.ts";
import { toBytes } from "../session.ts";
import type { TlsInfo } from "../tls.ts";
import { countBytes, type Counters } from "../totals.ts";
import { BATCH, type Flushable, join } from "./gather.ts";
import { type Duration, milliseconds } from "../units.ts";
import { lending, type Sender } from "./lending.ts";
import { ALL, PAUSE } from "./pause.ts";
import { StreamState } from "./state.ts";

export class StreamSession extends StreamState implements Flushable, Candidate, Sender {
  // What the service's counters have of its bytes.
  #settledIn = 0;
  #settledOut = 0;
  #sealed = false;
  // The adapter has a backlog; the share of this turn is used up.
  #busy = false;
  #resting = false;
  // Bytes that a handler waits to be rid of: `writeBuffer` is not about them.
  #awaited = 0;
  #pauses = 0;
  #out: Uint8Array | undefined = undefined;
  #more: Uint8Array[] | undefined = undefined;
  // Bytes of them.
  #gathered = 0;
  #waiters: { resolve: () => void; reject: (error: unknown) => void }[] | undefined = undefined;

  /** Counts what has gone through since the last time. */
  settle(counters: Counters): void {
    countBytes(counters, this.bytesIn - this.#settledIn, this.bytesOut - this.#settledOut);
    this.#settledIn = this.bytesIn;
    this.#settledOut = this.bytesOut;
  }

  override startTls(options: StartTlsOptions = {}): Promise<TlsInfo> {
    return (this.service.handshakes ?? noHandshakes).start(this, options);
  }

  /** Nothing can be written any more. */
  get sealed(): boolean {
    return this.#sealed;
  }

  get weight(): number {
    return WEIGHT.stream;
  }

  /** It waits for its connection to drain. */
  get backlogged(): boolean {
    return this.#busy;
  }

  /** Bytes that were written, and that the kernel has not taken yet. */
  get unsent(): number {
    const { unsent, pending } = this.connection;
    return (unsent ?? pending) + this.#gathered;
  }

  /** See {@link Sender}. */
  get sent(): number {
    return this.bytesOut - this.#gathered - this.connection.pending;
  }

  get reads(): boolean {
    return this.#pauses === 0;
  }

  cut(reason: CutReason): void {
    this.pipeline.cutOne(this, reason);
  }

  admitted(): void {
    if (this.handshake === undefined) this.pipeline.verify(this);
    else this.handshake.enter();
  }

  refused(why: Refusal): void {
    this.pipeline.refuse(this, why);
  }

  write(data: Uint8Array | string): boolean {
    if (this.#sealed) return false;
    const bytes = toBytes(data);
    if (bytes.length === 0) return !this.#busy && !this.#resting;
    this.bytesOut += bytes.length;
    lending?.write(bytes, this);
    this.active = this.pipeline.deadlines.now;
    const { gather } = this.pipeline.service;
    gather.writes++;
    if (this.#out === undefined) {
      this.#out = bytes;
      gather.add(this);
    } else if (this.#more === undefined) this.#more = [bytes];
    else this.#more.push(bytes);
    this.#gathered += bytes.length;
    if (this.#gathered >= BATCH) {
      gather.spend(this.#gathered);
      this.flush();
      if (!this.#busy) this.#giveWay();
    }
    return !this.#busy && !this.#resting;
  }

  /** Others come when all of one turn has been sent. */
  #giveWay(): void {
    const { gather } = this.pipeline.service;
    if (this.#resting || !gather.exhausted) return;
    this.#resting = true;
    gather.rest(this);
  }

  /** Hands what is gathered to the adapter: the turn is over, or the session. */
  flush(): void {
    const first = this.#out;
    if (first === undefined) return;
    const more = this.#more;
    const length = this.#gathered;
    this.#out = this.#more = undefined;
    this.#gathered = 0;
    if (this.phase === "closed") return;
    if (this.connection.write(more === undefined ? first : join(first, more, length))) {
      this.#awaited = 0;
      return;
    }
    this.#busy = true;
    if (this.service.restsOnBacklog && this.way === undefined) this.pauseFor(PAUSE.backlog);
    if (this.connection.pending - this.#awaited > this.service.plan.limits.writeBuffer) {
      this.service.report(new PorticoError("WRITE_LIMIT"), this.id);
      this.kill("writeBuffer");
    }
  }

  /** The adapter's backlog has gone out. */
  drained(): void {
    this.#busy = false;
    this.#awaited = 0;
    this.resumeFor(PAUSE.backlog);
    this.#giveWay();
    if (!this.#resting) this.#goOn();
  }

  rested(): void {
    this.#resting = false;
    if (!this.#busy) this.#goOn();
  }

  #goOn(): void {
    const waiters = this.#waiters;
    this.#waiters = undefined;
    for (const { resolve } of waiters ?? []) resolve();
    this.pipeline.writable(this);
  }

  send(data: Uint8Array | string): Promise<void> {
    if (this.#sealed) return Promise.reject(closedError());
    const bytes = toBytes(data);
    // What somebody waits for does not pile up behind anybody's back.
    if (this.#waiters === undefined && !this.#busy) this.#awaited = bytes.length;
    return this.write(bytes) ? Promise.resolve() : this.#room();
  }

  writable(): Promise<void> {
    if (this.#sealed) return Promise.reject(closedError());
    return this.#busy || this.#resting ? this.#room() : Promise.resolve();
  }

  #room(): Promise<void> {
    return new Promise((resolve, reject) => {
      (this.#waiters ??= []).push({ resolve, reject });
    });
  }

  deadline(after: Duration): void {
    const ms = milliseconds(after, "after of deadline(after)");
    this.pipeline.deadlines.endIn(this, "deadline", ms);
  }

  end(last?: Uint8Array | string): void {
    if (this.#sealed) return;
    if (last !== undefined) this.write(last);
    this.flush();
    this.#sealed = true;
    this.reason ??= "done";
    if (this.phase === "closed") return;
    this.connection.end();
    // Nothing is added to the backlog any more: the peer's end may be heard.
    this.resumeFor(PAUSE.backlog);
  }

  abort(): void {
    this.kill("aborted");
  }

  /** Says why it ends, unless that is known. That the peer has said all is no reason while it is served. */
  endsFor(reason: string): void {
    if (this.reason === undefined || (this.reason === "peer" && this.phase === "served")) {
      this.reason = reason;
    }
  }

  /** Closes at once. The peer sees a reset, an orderly end when `quiet`. */
  kill(reason: string, quiet = false): void {
    if (this.phase === "closed") return;
    this.killed = true;
    this.endsFor(reason);
    this.stopWriting();
    this.signalEnd(reason);
    this.connection.abort(quiet);
  }

  /** Sends what was written and our end; what the peer still sends is read and dropped, for a while. */
  finishWriting(now: number): void {
    this.reason ??= "done";
    this.end();
    this.stopWriting();
    this.signalEnd(this.reason);
    this.active = now;
    this.resumeFor(ALL);
  }

  /** Nothing can be written any more; what is gathered is dropped. */
  stopWriting(): void {
    this.#sealed = true;
    this.#out = this.#more = undefined;
    this.#gathered = 0;
    const waiters = this.#waiters;
    this.#waiters = undefined;
    for (const { reject } of waiters ?? []) reject(closedError());
  }

  pause(): void {
    this.pauseFor(PAUSE.plugin);
  }

  resume(): void {
    this.resumeFor(PAUSE.plugin);
  }

  /** Stops reading on behalf of one of {@link PAUSE}. */
  pauseFor(who: number): void {
    if (this.#pauses === 0 && this.phase !== "closed") this.connection.pause();
    this.#pauses |= who;
  }

  /** Reads on, if nobody else minds. */
  resumeFor(who: number): void {
    if (this.#pauses === 0) return;
    this.#pauses &= ~who;
    if (this.#pauses === 0 && this.phase !== "closed") this.connection.resume();
  }

  /** Nothing is read in clear any more: its {@link handshake} sees to it. */
  stopReading(): void {
    this.#pauses |= PAUSE.tls;
  }

  /** TLS has begun: the session goes on with another connection, as it was. */
  goOnWith(connection: Connection): void {
    this.connection = connection;
    this.#pauses &= ~PAUSE.tls;
    if (this.#pauses !== 0) connection.pause();
  }

  throttle(full: boolean): void {
    if (full) this.pauseFor(PAUSE.reader);
    else this.resumeFor(PAUSE.reader);
  }

  override exhausted(): void {
    this.pipeline.exhausted(this);
  }
}
