/** `limits.progress`: against one byte a second, and against a peer that does not read. */
import type { Progress } from "../plan.ts";

/** What is known of the bytes of a session. */
export interface Flow {
  /** Received. */
  readonly bytesIn: number;
  /** Of them, those that are the beginning of something; 0 where the peer has nothing under way. */
  readonly incomplete: number;
  /** Nobody here keeps the peer from sending. */
  readonly reads: boolean;
  readonly peerEnded: boolean;
  /** Written, and of that what the kernel has not taken. */
  readonly bytesOut: number;
  readonly unsent: number;
  mark: Mark | undefined;
}

/**
 * What is under way in a session: in, a frame of which a part has come, and that a read or a framer waits
 * for; out, bytes that the kernel does not take since the peer's is full. Whoever has nothing under way
 * is not measured, however long it is silent, and has no mark.
 */
export interface Mark {
  /** Since when, and how far it was then; NaN where nothing is under way that way. */
  inSince: number;
  /** The frame, by the number of bytes before it. */
  frame: number;
  bytesIn: number;
  outSince: number;
  /** Bytes that had to go out, and that had gone. */
  written: number;
  sent: number;
}

/**
 * Whether a session is too slow: in all of the time `per` one frame was under way, or what had to go out
 * then has not gone, and fewer than `bytes` have moved.
 */
export function isTooSlow(session: Flow, { bytes, per }: Progress, now: number): boolean {
  return slowIn(session, bytes, per, now) || slowOut(session, bytes, per, now);
}

function slowIn(session: Flow, bytes: number, per: number, now: number): boolean {
  // Nothing has to come where nobody reads, and from a peer that has said all.
  const part = session.reads && !session.peerEnded ? session.incomplete : 0;
  const { mark, bytesIn } = session;
  if (part === 0) {
    if (mark !== undefined) mark.inSince = NaN;
    return false;
  }
  const frame = bytesIn - part;
  // Its beginning is not known before it is seen: a frame has up to half as long again.
  if (mark === undefined || !(mark.inSince >= 0) || mark.frame !== frame) {
    Object.assign(session.mark ??= newMark(), { inSince: now, frame, bytesIn });
    return false;
  }
  if (now - mark.inSince < per) return false;
  if (bytesIn - mark.bytesIn < bytes) return true;
  mark.inSince = now;
  mark.bytesIn = bytesIn;
  return false;
}

function slowOut(session: Flow, bytes: number, per: number, now: number): boolean {
  const { unsent } = session;
  const { mark, bytesOut } = session;
  if (unsent === 0) {
    if (mark !== undefined) mark.outSince = NaN;
    return false;
  }
  const sent = bytesOut - unsent;
  // What had to go out has gone: it is other bytes that wait now.
  if (mark === undefined || !(mark.outSince >= 0) || sent >= mark.written) {
    Object.assign(session.mark ??= newMark(), { outSince: now, written: bytesOut, sent });
    return false;
  }
  if (now - mark.outSince < per) return false;
  if (sent - mark.sent < bytes) return true;
  mark.outSince = now;
  mark.sent = sent;
  mark.written = bytesOut;
  return false;
}

/** When to look again: at the end of what was begun, or for something that has begun. */
export function nextLook({ mark }: Flow, { per }: Progress, now: number): number {
  const since = mark === undefined ? NaN : Math.min(at(mark.inSince), at(mark.outSince));
  return since >= 0 && since !== Infinity ? since + per : now + per / 2;
}

function at(since: number): number {
  return since >= 0 ? since : Infinity;
}

function newMark(): Mark {
  return { inSince: NaN, frame: 0, bytesIn: 0, outSince: NaN, written: 0, sent: 0 };
}
