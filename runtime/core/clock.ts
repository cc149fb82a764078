/** A timer of a {@link Clock}. */
export type Timer = ReturnType<typeof setTimeout>;

/**
 * The clock of all deadlines, rates and waits of a server. There is one, {@link SYSTEM_CLOCK}; a test has
 * one of its own, which it moves.
 */
export interface Clock {
  /** Milliseconds since some time or other; never less than before. */
  now(): number;
  /** The time of day, in ms since 1970: it may be set, forth and back. */
  wall(): number;
  setTimeout(callback: () => void, ms: number): Timer;
  setInterval(callback: () => void, ms: number): Timer;
  /** Of either kind; nothing of undefined. */
  clear(timer: Timer | undefined): void;
}

export const SYSTEM_CLOCK: Clock = {
  now: () => performance.now(),
  wall: () => Date.now(),
  setTimeout: (callback, ms) => setTimeout(callback, ms),
  setInterval: (callback, ms) => setInterval(callback, ms),
  clear: (timer) => clearTimeout(timer),
};
