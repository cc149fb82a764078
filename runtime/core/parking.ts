import type { Waiting } from "./turns.ts";

/** Sessions that wait for room at the gate (`"overflow": "hold"`), in the order of their arrival. */
export class Parking<Session extends Waiting> {
  readonly #enter: (session: Session) => unknown;
  #sessions: Session[] = [];

  /** @param enter lets a session in, or answers with what still forbids it. */
  constructor(enter: (session: Session) => unknown) {
    this.#enter = enter;
  }

  add(session: Session): void {
    this.#sessions.push(session);
  }

  /** There is room: whoever fits comes in; whoever has left is forgotten. */
  retry(): void {
    if (this.#sessions.length === 0) return;
    const sessions = this.#sessions;
    this.#sessions = [];
    const left = sessions.filter((session) => session.waits && this.#enter(session) !== undefined);
    // Who has come meanwhile stands behind them.
    this.#sessions = [...left, ...this.#sessions];
  }
}
