/** Two streams that are passed on to each other: relays, proxies, tunnels. */
import { objectWith } from "../arguments.ts";
import type { Session } from "../plugin.ts";
import { PAUSE } from "./pause.ts";
import { StreamSession } from "./session.ts";

/** Options of {@link pipe}. */
export interface PipeOptions {
  /**
   * True when silent: the end of one side is passed on, and the other may go on sending. False: the
   * end of one is the end of both, once what was sent until then has gone out.
   */
  readonly halfClose?: boolean;
}

/**
 * Passes all that `a` sends to `b`, and the other way round, until both have ended. What waits unread
 * comes first; a slow reader slows down its sender, each way for itself, and what is on its way is
 * bounded. No hook sees the bytes any more, but those that say `session.bytesIn` and `bytesOut`. A reset
 * of one, or whatever else ends it, is a reset of the other.
 *
 * @returns a promise that resolves when nothing more is passed on, however that came about; it never rejects.
 * @throws TypeError for what are not two stream sessions; Error when one is piped, or read from, already.
 */
export function pipe(
  a: Session<unknown>,
  b: Session<unknown>,
  options: PipeOptions = {},
): Promise<void> {
  objectWith("options of pipe(a, b, options)", "an object", options);
  const { halfClose = true } = options;
  const sessions = [a, b].map((session) => checked(session)) as [StreamSession, StreamSession];
  if (a === b) throw new TypeError("Cannot pipe: two sessions are due, received one twice");
  const tunnel = new Tunnel(halfClose);
  const [one, other] = sessions;
  const ways = [new Way(tunnel, one, other), new Way(tunnel, other, one)] as const;
  tunnel.ways = ways;
  one.way = ways[0];
  other.way = ways[1];
  for (const way of ways) way.begin();
  return tunnel.over.promise;
}

function checked(session: unknown): StreamSession {
  if (!(session instanceof StreamSession)) {
    throw new TypeError("Cannot pipe: stream sessions are due, received something else");
  }
  if (session.way !== undefined) throw new Error("Cannot pipe: the session is piped already");
  if (session.isRead) throw new Error("Cannot pipe: a read of the session is waiting");
  return session;
}

/** Both ways. */
class Tunnel {
  readonly halfClose: boolean;
  readonly over = Promise.withResolvers<void>();
  ways: readonly Way[] = [];

  constructor(halfClose: boolean) {
    this.halfClose = halfClose;
  }

  /** One side has said all. */
  ended(): void {
    if (!this.halfClose) {
      for (const { to } of this.ways) to.pipeline.endInOrder(to);
    } else if (!this.ways.every(({ ended }) => ended)) return;
    this.over.resolve();
  }

  /** One side is closed. */
  closed(): void {
    if (!this.ways.every(({ ended }) => ended)) {
      for (const { from } of this.ways) if (from.phase !== "ending") from.abort();
    }
    this.over.resolve();
  }
}

/** One way of the two; {@link StreamSession.way} of the session that it comes from. */
export class Way {
  readonly from: StreamSession;
  readonly to: StreamSession;
  readonly #tunnel: Tunnel;
  ended = false;

  constructor(tunnel: Tunnel, from: StreamSession, to: StreamSession) {
    this.#tunnel = tunnel;
    this.from = from;
    this.to = to;
  }

  /** The other way. */
  get back(): Way {
    return this.#tunnel.ways.find((way) => way !== this)!;
  }

  begin(): void {
    for (const chunk of this.from.takeUnread()) this.data(chunk);
    // From here on each way minds its own backlog.
    this.from.resumeFor(PAUSE.backlog | PAUSE.reader);
    if (this.from.phase === "closed") this.#tunnel.closed();
    else if (this.from.peerEnded) this.end();
  }

  /** `chunk` may be lent. */
  data(chunk: Uint8Array): void {
    if (!this.to.write(chunk) && !this.to.sealed) this.from.pauseFor(PAUSE.pipe);
  }

  /** There is room again where it comes to. */
  writable(): void {
    this.from.resumeFor(PAUSE.pipe);
  }

  end(): void {
    if (this.ended) return;
    this.ended = true;
    this.to.end();
    this.#tunnel.ended();
  }

  closed(): void {
    this.#tunnel.closed();
  }
}
