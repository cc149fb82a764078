/** What a session holds while it is served. */

/**
 * A place among `limits.sessions` and `limits.perSource`, and a turn among `concurrency.max`. Both are
 * given back once, whoever asks, and however often.
 */
export interface Permit {
  /** False while it waits for its place or its turn; then its candidate is told. */
  readonly granted: boolean;
  /** Nothing is left to do for the session but to see it close: the turn is somebody else's. */
  returnTurn(): void;
  /** Nothing is left of the session. One that still waits gives up. */
  release(): void;
}

/** Of sessions that nobody asks for: those that a plugin opens itself. */
export const UNLIMITED: Permit = { granted: true, returnTurn() {}, release() {} };
