/**
 * One handshake of TLS, which stands in the place of its session's connection until it is done:
 *
 *     TURN → waits for its place among `limits.handshakes`, unread → HANDSHAKE → VERIFY
 *
 * Of one that a plugin has begun (`startTls`), what is written meanwhile is kept, and leaves when it is done.
 */
import type { Connection } from "../contract.ts";
import type { Address } from "../endpoint.ts";
import { closedError, PorticoError } from "../errors.ts";
import { hookError } from "../hooks.ts";
import { recordRefusal } from "../records.ts";
import type { StreamSession } from "../stream/session.ts";
import type { TlsContext, TlsInfo } from "../tls.ts";
import type { Awaited, Handshakes } from "./handshakes.ts";

/** Above so many bytes that are kept `write` says false, as an adapter's does. */
const HIGH_WATER = 64 * 1024;

/** Of whoever has tried, and failed. */
export const FAILED = { rule: "tls" } as const;

export class Handshake implements Connection, Awaited {
  data: unknown = undefined;
  /** When it was begun, in ms of the clock. */
  begun = 0;
  /** What it is made with; known by the time it is begun. */
  context: TlsContext | undefined;
  readonly #all: Handshakes;
  readonly #session: StreamSession;
  /** The bare connection, and from its beginning on the one that speaks TLS. */
  #inner: Connection;
  /** Nothing is read of the bare one; it is dead. */
  #paused: boolean;
  #securing = false;
  // What was written meanwhile, and whether our end was.
  #held: Uint8Array[] = [];
  #heldBytes = 0;
  #ended = false;
  #outcome: PromiseWithResolvers<TlsInfo> | undefined = undefined;

  /** @param paused nothing is read of the connection at the moment. */
  constructor(
    all: Handshakes,
    session: StreamSession,
    context: TlsContext | undefined,
    paused: boolean,
  ) {
    this.#all = all;
    this.#session = session;
    this.context = context;
    this.#inner = session.connection;
    this.#paused = paused;
    session.handshake = this;
    session.connection = this;
  }

  /** Of one that a plugin has begun: what becomes of it. */
  get outcome(): Promise<TlsInfo> {
    this.#outcome ??= Promise.withResolvers();
    return this.#outcome.promise;
  }

  // Its way.

  /** Its turn has come: from here on it has `limits.handshake`. */
  enter(): void {
    const session = this.#session;
    const { deadlines, service } = session.pipeline;
    // It may have ended before it was known what it is made with.
    if (session.killed || session.handshake !== this) return;
    session.stopReading();
    if (session.phase === "waiting") {
      session.phase = "handshake";
      // When it has gone, nobody knows any more where it was, nor to which address of ours it came.
      if (service.log.wants("info", "refuse", session.id)) void (session.remote, session.local);
    }
    deadlines.endIn(session, "handshake", service.plan.limits.handshake);
    if (this.context !== undefined) this.#all.enter(this);
    else this.pause();
  }

  /** It has its place. */
  begin(now: number): void {
    this.begun = now;
    this.#securing = true;
    try {
      if (this.#inner.secure === undefined) throw new PorticoError("NOT_SUPPORTED");
      this.#inner = this.#inner.secure(this.context!);
    } catch (error) {
      this.fail(hookError(error));
    }
  }

  /** It cannot be done, and the session is over with it. */
  fail(error: PorticoError): void {
    const session = this.#session;
    session.cause ??= error;
    session.pipeline.service.report(error, session.id);
    // What was written before still goes out.
    session.kill("error", true);
  }

  /** The adapter tells that it is done. */
  done(connection: Connection): void {
    const session = this.#session;
    const { pipeline } = session;
    if (session.killed) return;
    this.#all.leave(this, true);
    session.handshake = undefined;
    session.goOnWith(connection);
    pipeline.deadlines.endIn(session, "handshake", Infinity);
    if (session.phase === "handshake") return pipeline.verify(session);
    const { tls } = connection;
    const why = pipeline.service.certificates?.refusal(session);
    if (why !== undefined || tls === undefined) {
      session.kill("access", true);
      this.#outcome?.reject(closedError());
      return;
    }
    this.#flush(connection);
    this.#outcome?.resolve(tls);
  }

  /** What was written meanwhile leaves. */
  #flush(connection: Connection): void {
    let room = true;
    for (const bytes of this.#held) room = connection.write(bytes);
    this.#held = [];
    if (this.#ended) connection.end();
    else if (this.#session.backlogged && room) this.#session.drained();
  }

  /** It has taken too long for others to wait for. */
  giveWay(): void {
    const session = this.#session;
    if (session.phase === "handshake") session.pipeline.refuse(session, { limit: "handshakes" });
    else session.kill("handshakes", true);
    this.#all.leave(this);
  }

  /** Nothing is left of the connection. */
  closed(error: PorticoError | undefined): void {
    const session = this.#session;
    const { service } = session.pipeline;
    session.handshake = undefined;
    this.#all.leave(this);
    const failed = error?.code === "TLS_FAILED" ? error : undefined;
    if (this.#outcome !== undefined) {
      if (failed !== undefined && session.reason === undefined) {
        session.cause ??= failed;
        session.endsFor("error");
        service.report(failed, session.id);
      }
      this.#outcome.reject(session.cause ?? error ?? closedError());
    } else if (failed !== undefined && !session.killed) {
      service.countRefusal(FAILED, session);
      const message = { message: failed.message };
      recordRefusal(service, service.level, session, FAILED, message);
    }
  }

  // In the place of the connection.

  get remote(): Address {
    return this.#inner.remote;
  }

  get local(): Address {
    return this.#inner.local;
  }

  get pending(): number {
    return this.#heldBytes + this.#inner.pending;
  }

  write(bytes: Uint8Array): boolean {
    // It may be part of a chunk that is lent.
    this.#held.push(bytes.slice());
    this.#heldBytes += bytes.length;
    return this.#heldBytes <= HIGH_WATER;
  }

  /** Nothing of it is read in clear any more. */
  pause(): void {
    if (this.#paused || this.#securing) return;
    this.#paused = true;
    this.#inner.pause();
  }

  resume(): void {}

  end(): void {
    this.#ended = true;
  }

  abort(quiet?: boolean): void {
    this.#all.leave(this);
    this.#inner.abort(quiet);
  }
}
