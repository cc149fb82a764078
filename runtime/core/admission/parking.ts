/** What waits for room at the gate. */
export interface Parked {
  /** False when it has gone meanwhile. */
  readonly waits: boolean;
  /** Lets it in, or answers with what still forbids it. */
  enter(): unknown;
}

/** Sessions that wait for room at the gate, in the order of their arrival. */
export class Parking {
  #sessions: Parked[] = [];

  add(session: Parked): void {
    this.#sessions.push(session);
  }

  /** There is room: whoever fits comes in; whoever has left is forgotten. */
  retry(): void {
    if (this.#sessions.length === 0) return;
    const sessions = this.#sessions;
    this.#sessions = [];
    const left = sessions.filter((session) => session.waits && session.enter() !== undefined);
    // Who has come meanwhile stands behind them.
    this.#sessions = [...left, ...this.#sessions];
  }
}
