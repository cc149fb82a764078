import { WEIGHT_MAX } from "../core/admission/candidate.ts";
import type { PendingSession } from "./pending.ts";

/** Sessions that have their turn, and no worker yet, in their order; bounded by what they weigh. */
export class DispatchQueue {
  #sessions: PendingSession[] = [];
  #weight = 0;

  get length(): number {
    return this.#sessions.length;
  }

  /** @returns false when too much waits already. */
  add(session: PendingSession): boolean {
    if (this.#weight + session.weight > WEIGHT_MAX) return false;
    this.#weight += session.weight;
    this.#sessions.push(session);
    return true;
  }

  /** Sends one after the other, until one has to go on waiting: `send` answers with false. */
  drain(send: (session: PendingSession) => boolean): void {
    let sent = 0;
    while (sent < this.#sessions.length && send(this.#sessions[sent]!)) sent++;
    for (const { weight } of this.#sessions.splice(0, sent)) this.#weight -= weight;
  }

  /** Takes out all. */
  clear(): PendingSession[] {
    this.#weight = 0;
    return this.#sessions.splice(0);
  }
}
